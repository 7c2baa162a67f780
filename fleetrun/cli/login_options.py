"""Options for getting in, and for becoming somebody else: passwords come by prompt or by file."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetrun.cli.options import gathered


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginOptions:
    """How to log in and as whom to run; a password's text is in none of them."""

    ask_pass: bool
    password_file: str | None
    key_passphrase_file: str | None
    become: bool
    become_user: str | None
    ask_become_pass: bool
    become_password_file: str | None
    legacy_algorithms: bool


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
    click.option("-b", "--become", is_flag=True, help="Run as another user, through sudo."),
    click.option("--become-user", metavar="NAME", help="That user [default: root]."),
    click.option("-K", "--ask-become-pass", is_flag=True, help="Ask once for sudo's password."),
    click.option(
        "--become-password-file", type=_file, metavar="FILE", help="Read it from FILE's first line."
    ),
    click.option(
        "--legacy-algorithms",
        is_flag=True,
        help="Offer CBC, 3DES, MD5 and SHA-1 too, for devices that have nothing better.",
    ),
)
