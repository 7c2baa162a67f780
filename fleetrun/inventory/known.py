"""The variables that fleetrun knows: what each is called, what it sets, and how it is read.

Every setting of a host has a name of ours (`port`) and those that Ansible gives it
(`ansible_port`, `ansible_ssh_port`). All other variables are the user's own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from fleetrun.errors import InventoryError
from fleetrun.hosts import SHELL_CHARACTERS, HostKeyPolicy, Secret, check_word
from fleetrun.inventory.address import is_ipv6, parse_port
from fleetrun.inventory.spelling import one_slip, two_swapped
from fleetrun.inventory.ssh_arguments import SshArguments, parse_jump, parse_ssh_arguments
from fleetrun.inventory.tree import Node, Scalar, Sequence, kind

_ANSIBLE = "ansible_"

_LONG = 9
"""Letters of a name that nothing else is called by chance: `host_keys`, `private_key`."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a value is of no use to us: an error for a host that needs it, and only for that one.

    The reason goes on where a sentence begins with the variable's name: `is a Jinja template, …`.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """A variable that fleetrun knows.

    Attributes:
        sets: the setting it gives: a field of `Host`, or one that `fleetrun.inventory.settings`
            makes fields of.
        read: reads its value; raises `InventoryError`, without a place, when it cannot be one.
        rank: its place in `KNOWN`; where one mapping gives a setting twice, the higher one counts.
    """

    sets: str
    read: Callable[[Node], object]
    rank: int


@functools.lru_cache(maxsize=10_000)
def meant_by(name: str) -> str | None:
    """Return the known variable that the name was probably meant to be; None for honest names.

    A user's own variables may be called anything, `users` and `ports` among them, so of our short
    names only swapped letters count (`usre`). A name that begins with `ansible_` is suspect when
    it is one letter away from a known one; no variable of Ansible's own is.
    """
    if name in KNOWN:
        return None
    slip = one_slip if name.startswith(_ANSIBLE) else two_swapped
    return next((known for known in KNOWN if slip(name, known)), None)


@functools.lru_cache(maxsize=10_000)
def resembled_by(name: str) -> str | None:
    """Return the long name of ours that is one letter away, which is worth a warning; or None.

    It may be a variable of the user's own all the same, and an `s` more or less makes one.
    """
    if name in KNOWN or name.startswith(_ANSIBLE):
        return None
    ours = (it for it in KNOWN if len(it) >= _LONG and not it.startswith(_ANSIBLE))
    alike = (it for it in ours if one_slip(name, it) and name.rstrip("s") != it.rstrip("s"))
    return next(alike, None)


def read_priority(node: Node) -> int:
    """Read a group's `ansible_group_priority`: a whole number, which may be negative."""
    if not isinstance(node, Scalar) or re.fullmatch(r"-?[0-9]{1,9}", node.text) is None:
        raise InventoryError("it is not a whole number")
    return int(node.text)


def _text(node: Node) -> str:
    if not isinstance(node, Scalar):
        raise InventoryError(f"a single value is wanted, and this is {kind(node)}")
    if node.is_empty or not node.text:
        raise InventoryError("it has no value")
    return node.text


def _address(node: Node) -> str:
    text = _text(node)
    check_word("address", text, forbidden=SHELL_CHARACTERS)
    if ":" in text and not is_ipv6(text):
        raise InventoryError(f"the address {text!r} has ':' in it; a port goes into ansible_port")
    return text


def _port(node: Node) -> int:
    return parse_port(_text(node))


def _user(node: Node) -> str:
    text = _text(node)
    check_word("user", text)
    return text


def _password(node: Node) -> Secret:
    return Secret(_text(node))


def _files(node: Node) -> tuple[str, ...]:
    if isinstance(node, Sequence) and node.items:
        return tuple(_text(item) for item in node.items)
    return (_text(node),)


def _policy(node: Node) -> HostKeyPolicy:
    text = _text(node)
    if text not in list(HostKeyPolicy):
        raise InventoryError(f"{text!r} is not one of {', '.join(HostKeyPolicy)}")
    return HostKeyPolicy(text)


def _checking(node: Node) -> HostKeyPolicy:
    return HostKeyPolicy.STRICT if _switch(node) else HostKeyPolicy.OFF


def _switch(node: Node) -> bool:
    text = _text(node)
    if text.lower() not in _SWITCHES:
        raise InventoryError(f"{text!r} is not one of {', '.join(_SWITCHES)}")
    return _SWITCHES[text.lower()]


def _seconds(node: Node) -> float:
    text = _text(node)
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is None or not float(text) > 0:
        raise InventoryError(f"{text!r} is not a positive number of seconds, such as 10 or 0.5")
    return float(text)


def _jump(node: Node) -> str | None:
    return parse_jump(_text(node))


def _ssh_arguments(node: Node) -> SshArguments | Obstacle:
    if isinstance(node, Scalar) and (node.is_empty or not node.text):
        return parse_ssh_arguments("")
    arguments = parse_ssh_arguments(_text(node))
    if arguments.proxy_command is None:
        return arguments
    return Obstacle(
        "has a ProxyCommand, which fleetrun does not run for an inventory; "
        "write the way as -J USER@BASTION"
    )


def _connection(node: Node) -> str | Obstacle:
    text = _text(node)
    if text.removeprefix("ansible.builtin.") in _OVER_SSH:
        return text
    return Obstacle(
        f"is {text!r}, and fleetrun connects over SSH alone; "
        "leave the host out with --exclude, or set it to ssh"
    )


def _become_method(node: Node) -> str | Obstacle:
    text = _text(node)
    if text.removeprefix("ansible.builtin.") == _SUDO:
        return text
    return Obstacle(f"is {text!r}, and fleetrun becomes another user through sudo alone")


_SUDO = "sudo"
_OVER_SSH = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_SWITCHES = {
    "yes": True,
    "no": False,
    "true": True,
    "false": False,
    "on": True,
    "off": False,
    "1": True,
    "0": False,
}

_READERS: tuple[tuple[str, Callable[[Node], object], tuple[str, ...]], ...] = (
    ("address", _address, ("host", "ansible_host", "ansible_ssh_host")),
    ("port", _port, ("port", "ansible_port", "ansible_ssh_port")),
    ("user", _user, ("user", "ansible_user", "ansible_ssh_user")),
    (
        "password",
        _password,
        ("password", "ansible_password", "ansible_ssh_pass", "ansible_ssh_password"),
    ),
    (
        "private_key",
        _text,
        ("private_key", "ansible_private_key_file", "ansible_ssh_private_key_file"),
    ),
    ("known_hosts", _files, ("known_hosts",)),
    ("host_keys", _policy, ("host_keys",)),
    ("host_keys", _checking, ("ansible_host_key_checking", "ansible_ssh_host_key_checking")),
    (
        "connect_timeout_s",
        _seconds,
        ("connect_timeout", "ansible_timeout", "ansible_ssh_timeout"),
    ),
    ("login_timeout_s", _seconds, ("login_timeout",)),
    ("command_timeout_s", _seconds, ("command_timeout",)),
    ("legacy_algorithms", _switch, ("legacy_algorithms",)),
    ("jump", _jump, ("jump",)),
    ("ssh_config", _text, ("ssh_config",)),
    ("become", _switch, ("become", "ansible_become")),
    ("become_user", _user, ("become_user", "ansible_become_user")),
    ("become_method", _become_method, ("become_method", "ansible_become_method")),
    (
        "become_password",
        _password,
        ("become_password", "ansible_become_password", "ansible_become_pass"),
    ),
    ("connection", _connection, ("ansible_connection",)),
    ("ssh_args", _ssh_arguments, ("ansible_ssh_args",)),
    ("ssh_common_args", _ssh_arguments, ("ansible_ssh_common_args",)),
    ("ssh_extra_args", _ssh_arguments, ("ansible_ssh_extra_args",)),
)

KNOWN = {
    name: Known(sets, read, rank)
    for rank, (sets, read, name) in enumerate(
        (sets, read, name) for sets, read, names in _READERS for name in names
    )
}
"""All known variables by name. Where one mapping has several names of one setting, the one further
down here wins: Ansible's names beat ours, which an Ansible inventory may use for something else,
and of Ansible's the `ansible_ssh_` ones win, as its ssh connection has it."""
