"""What only the user can answer: secrets, asked for once or read from a file, and yes or no.

A secret is never taken from an argument, where every user of this machine could read it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from fleetrun.cli.login_options import BecomeOptions, LoginOptions
from fleetrun.errors import UsageError
from fleetrun.hosts import Host, Secret
from fleetrun.ssh.keyfile import look_at_keys

_MAX_SECRET_BYTES = 64 * 1024


def with_login_secrets(
    hosts: Sequence[Host], options: LoginOptions, *, keys_are_here: bool = True
) -> tuple[Host, ...]:
    """Return the hosts with the password that the options name, and their keys' passphrases.

    Each is asked for once, whatever the number of hosts. Of keys that are on other machines it is
    not known whether they are encrypted: a passphrase from a file is for all of them.

    Raises `UsageError` when a private key cannot be used, or a secret is needed that cannot be had.
    """
    password = _secret(
        "login password", "--password-file", ask=options.ask_pass, file=options.password_file
    )
    if password is not None:
        hosts = [dataclasses.replace(host, password=password) for host in hosts]
    if keys_are_here:
        keys = _encrypted_keys(hosts)
    else:
        keys = _named_keys(hosts) if options.key_passphrase_file is not None else ()
    passphrases = {key: _passphrase(key, options.key_passphrase_file) for key in keys}
    return tuple(_with_passphrase(host, passphrases) for host in hosts)


def with_become_secret(hosts: Sequence[Host], options: BecomeOptions) -> tuple[Host, ...]:
    """Return the hosts with sudo's password, where they become another user; asks for it once.

    Raises `UsageError` when it is wanted and cannot be had, or no host would use it.
    """
    wanted = options.ask_become_pass or options.become_password_file is not None
    if wanted and not any(host.become_user for host in hosts):
        raise UsageError("a password for sudo is of use with -b (--become) only")
    password = _secret(
        "sudo password",
        "--become-password-file",
        ask=options.ask_become_pass,
        file=options.become_password_file,
    )
    if password is None:
        return tuple(hosts)
    return tuple(
        host if host.become_user is None else dataclasses.replace(host, become_password=password)
        for host in hosts
    )


def agreed(question: str) -> bool:
    """Ask for yes or no; enter alone is no. Raises `UsageError` when there is nobody to ask."""
    if not _can_ask():
        raise UsageError("there is no terminal to ask; look at the keys, then give --yes")
    return click.confirm(question, err=True)


def _encrypted_keys(hosts: Sequence[Host]) -> tuple[Path, ...]:
    """Return the key files that need a passphrase that is not known, each once."""
    keys = look_at_keys(host for host in hosts if host.key_passphrase is None)
    return tuple(dict.fromkeys(key.path for key in keys if key.encrypted))


def _named_keys(hosts: Sequence[Host]) -> tuple[Path, ...]:
    paths = (host.private_key for host in hosts if host.private_key is not None)
    return tuple(dict.fromkeys(Path(path).expanduser() for path in paths))


def _passphrase(key: Path, file: str | None) -> Secret:
    what = f"passphrase for {key}"
    return _ask(what, "--key-passphrase-file") if file is None else _from_file(what, file)


def _with_passphrase(host: Host, passphrases: Mapping[Path, Secret]) -> Host:
    if host.private_key is None or host.key_passphrase is not None:
        return host
    passphrase = passphrases.get(Path(host.private_key).expanduser())
    return host if passphrase is None else dataclasses.replace(host, key_passphrase=passphrase)


def _secret(what: str, option: str, *, ask: bool, file: str | None) -> Secret | None:
    if file is not None:
        return _from_file(what, file)
    return _ask(what, option) if ask else None


def _from_file(what: str, file: str) -> Secret:
    with Path(file).open("rb") as opened:
        line = opened.readline(_MAX_SECRET_BYTES).rstrip(b"\r\n")
    if not line:
        raise UsageError(f"{file}: its first line should be the {what}, and is empty")
    try:
        return Secret(line.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{file}: the {what} in it is not UTF-8") from None


def _ask(what: str, option: str) -> Secret:
    if not _can_ask():
        raise UsageError(f"there is no terminal to ask for the {what}; give it with {option}")
    return Secret(click.prompt(what, hide_input=True, err=True))


def _can_ask() -> bool:
    """Tell whether somebody sits at the other end; the input is None when it was closed."""
    return sys.stdin is not None and sys.stdin.isatty()
