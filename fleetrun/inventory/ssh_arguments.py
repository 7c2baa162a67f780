"""What Ansible hands on to ssh: `ansible_ssh_common_args: -J bastion -o StrictHostKeyChecking=no`.

Read as ssh reads its command line, as far as it says how to reach a host. Nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fleetrun.errors import InventoryError
from fleetrun.hosts import SHELL_CHARACTERS, HostKeyPolicy, check_word
from fleetrun.inventory.address import parse_port
from fleetrun.ssh.hop import parse_chain

_KEYWORDS = {"-i": "IdentityFile", "-J": "ProxyJump", "-l": "User", "-p": "Port"}
"""ssh(1): the keyword of ssh_config(5) that a letter stands for."""

_TAKE_A_VALUE = frozenset("BbcDEeFIiJLlmOopPQRSWw")
"""ssh(1): the letters that are followed by a value."""

_PROXY_COMMAND = "proxycommand"
_WITHOUT_EFFECT = frozenset(
    {"-q", "-v", "batchmode", "controlmaster", "controlpath", "controlpersist", "loglevel"}
)
"""Not worth a word: how much ssh says, and how it shares connections, of which we have no need."""


@dataclass(frozen=True, slots=True)
class SshArguments:
    """What the arguments say.

    Attributes:
        settings: values by the field of `Host` that they set.
        ignored: options that fleetrun does not read, as they are written (`-4`, `Ciphers`).
        proxy_command: what ssh would run to reach the host, and we do not; None for nothing.
    """

    settings: dict[str, object]
    ignored: tuple[str, ...]
    proxy_command: str | None


def parse_ssh_arguments(text: str) -> SshArguments:
    """Read the arguments; raises `InventoryError`, without a place, when a value cannot be used.

    Of an option that comes twice the first counts, as with ssh.
    """
    settings: dict[str, object] = {}
    ignored: dict[str, None] = {}
    proxy_command: str | None = None
    for option, value in _options(_words(text)):
        keyword = option if option.startswith("-") else option.lower()  # -f is not -F
        if keyword in _READ:
            field, read = _READ[keyword]
            settings.setdefault(field, read(value))
        elif keyword == _PROXY_COMMAND:
            proxy_command = proxy_command or value
        elif keyword not in _WITHOUT_EFFECT:
            ignored[option] = None
    if proxy_command is not None and proxy_command.lower() == "none":
        proxy_command = None
    return SshArguments(settings, tuple(ignored), proxy_command)


def parse_jump(text: str) -> str | None:
    """Check a chain of jump hosts, `[USER@]NAME[:PORT]` with commas between; `none` is None.

    Raises `InventoryError`, without a place, when one of them cannot be a host.
    """
    try:
        hops = parse_chain(text)
        for hop in hops:
            check_word("jump host", hop.name, forbidden=SHELL_CHARACTERS)
            if hop.user is not None:
                check_word("user", hop.user)
    except ValueError as error:
        raise InventoryError(str(error)) from error
    return text if hops else None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InventoryError("its quotes do not match") from error


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the options with their values: by keyword where they have one, else as written."""
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if not word.startswith("-") or word == "-":
            yield word, ""
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            value = ""
            if letter in _TAKE_A_VALUE:
                value, letters = letters or (rest.pop() if rest else ""), ""
            yield _option(f"-{letter}", value)


def _option(letter: str, value: str) -> tuple[str, str]:
    if letter != "-o":
        return _KEYWORDS.get(letter, letter), value
    keyword, _, setting = re.sub(r"\s*=\s*|\s+", "=", value.strip(), count=1).partition("=")
    return keyword, setting.strip('"')


def _user(value: str) -> str:
    check_word("user", value)
    return value


def _file(value: str) -> str:
    if not value:
        raise InventoryError("an option that names a file has no value")
    return value


def _files(value: str) -> tuple[str, ...]:
    return tuple(_file(value).split())


def _policy(value: str) -> HostKeyPolicy:
    if value.lower() not in _POLICIES:
        known = ", ".join(_POLICIES)
        raise InventoryError(f"StrictHostKeyChecking {value!r} is not one of {known}")
    return _POLICIES[value.lower()]


def _seconds(value: str) -> float:
    if re.fullmatch(r"[0-9]{1,9}", value) is None or not int(value):
        raise InventoryError(f"ConnectTimeout {value!r} is not a positive number of seconds")
    return float(value)


_POLICIES = {
    "yes": HostKeyPolicy.STRICT,
    "ask": HostKeyPolicy.STRICT,  # there is nobody to ask
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
    "no": HostKeyPolicy.OFF,
    "off": HostKeyPolicy.OFF,
}

_READ: dict[str, tuple[str, Callable[[str], object]]] = {
    "port": ("port", parse_port),
    "user": ("user", _user),
    "identityfile": ("private_key", _file),
    "userknownhostsfile": ("known_hosts", _files),
    "stricthostkeychecking": ("host_keys", _policy),
    "connecttimeout": ("connect_timeout_s", _seconds),
    "proxyjump": ("jump", parse_jump),
    "-F": ("ssh_config", _file),
}
"""The field of `Host` that a keyword of ssh_config(5) sets, or a letter, and how it is read."""
