"""Secrets: asked for once, up front, or read from a file; never taken from an argument."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from fleetrun.cli.login_options import LoginOptions
from fleetrun.errors import UsageError
from fleetrun.hosts import Host, Secret
from fleetrun.inventory import Overrides
from fleetrun.ssh.keyfile import look_at_keys

_ROOT = "root"


def with_secrets(given: Overrides, options: LoginOptions) -> Overrides:
    """Return the overrides with what the login options add to them; asks for passwords.

    Raises `UsageError` when one is wanted and cannot be had.
    """
    become = options.become or options.become_user is not None
    become_password = _secret(
        "sudo password",
        "--become-password-file",
        ask=options.ask_become_pass,
        file=options.become_password_file,
    )
    if become_password is not None and not become:
        raise UsageError("a password for sudo is of use with -b (--become) only")
    return dataclasses.replace(
        given,
        password=_secret(
            "login password", "--password-file", ask=options.ask_pass, file=options.password_file
        ),
        become_user=(options.become_user or _ROOT) if become else None,
        become_password=become_password,
        legacy_algorithms=options.legacy_algorithms or None,
    )


def with_passphrases(hosts: Sequence[Host], options: LoginOptions) -> tuple[Host, ...]:
    """Return the hosts with a passphrase for each encrypted key, asked for once a key.

    Raises `UsageError` when a key cannot be used, or there is nobody to ask.
    """
    passphrases = {
        str(key.path): _passphrase(key.path, options.key_passphrase_file)
        for key in look_at_keys(host for host in hosts if host.key_passphrase is None)
        if key.encrypted
    }
    if not passphrases:
        return tuple(hosts)
    return tuple(_with_passphrase(host, passphrases) for host in hosts)


def _passphrase(key: Path, file: str | None) -> Secret:
    what = f"passphrase for {key}"
    return _ask(what, "--key-passphrase-file") if file is None else _from_file(what, file)


def _with_passphrase(host: Host, passphrases: dict[str, Secret]) -> Host:
    if host.private_key is None or host.key_passphrase is not None:
        return host
    passphrase = passphrases.get(str(Path(host.private_key).expanduser()))
    return host if passphrase is None else dataclasses.replace(host, key_passphrase=passphrase)


def _secret(what: str, option: str, *, ask: bool, file: str | None) -> Secret | None:
    if file is not None:
        return _from_file(what, file)
    return _ask(what, option) if ask else None


def _from_file(what: str, file: str) -> Secret:
    lines = Path(file).read_text().splitlines()
    if not lines or not lines[0]:
        raise UsageError(f"{file}: its first line should be the {what}, and is empty")
    return Secret(lines[0])


def _ask(what: str, option: str) -> Secret:
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the {what}; give it with {option}")
    return Secret(click.prompt(what, hide_input=True, err=True))
