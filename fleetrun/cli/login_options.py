"""Options for getting in, and for becoming somebody else: passwords come by prompt or by file."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetrun.cli.options import gathered
from fleetrun.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """How to log in; a password's text is in none of them."""

    ask_pass: bool
    password_file: str | None
    key_passphrase_file: str | None

    def __post_init__(self) -> None:
        if self.ask_pass and self.password_file is not None:
            raise UsageError("-k asks for the password that --password-file has; give one of them")


@dataclass(frozen=True, slots=True, kw_only=True)
class BecomeOptions:
    """As whom commands run; a password's text is in none of them."""

    become: bool
    become_user: str | None
    ask_become_pass: bool
    become_password_file: str | None

    def __post_init__(self) -> None:
        if self.ask_become_pass and self.become_password_file is not None:
            raise UsageError(
                "-K asks for the password that --become-password-file has; give one of them"
            )


_file = click.Path(exists=True, dir_okay=False)

login_options = gathered(
    "login_options",
    LoginOptions,
    click.option("-k", "--ask-pass", is_flag=True, help="Ask once for the login password."),
    click.option(
        "--password-file", type=_file, metavar="FILE", help="Read it from FILE's first line."
    ),
    click.option(
        "--key-passphrase-file",
        type=_file,
        metavar="FILE",
        help="Open encrypted private keys with FILE's first line, instead of asking.",
    ),
)

become_options = gathered(
    "become_options",
    BecomeOptions,
    click.option("-b", "--become", is_flag=True, help="Run as another user, through sudo."),
    click.option("--become-user", metavar="NAME", help="That user [default: root]."),
    click.option("-K", "--ask-become-pass", is_flag=True, help="Ask once for sudo's password."),
    click.option(
        "--become-password-file", type=_file, metavar="FILE", help="Read it from FILE's first line."
    ),
)
