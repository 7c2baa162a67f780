"""The variables that fleetrun knows, and how each is read. Second step of the inventory.

Every setting of a host has a name of ours (`port`) and those that Ansible gives it
(`ansible_port`, `ansible_ssh_port`). All other variables are the user's own and are kept as they
were written.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from os.path import commonprefix

from fleetrun.errors import InventoryError
from fleetrun.hosts import SHELL_CHARACTERS, HostKeyPolicy, Secret, check_word
from fleetrun.inventory.address import is_ipv6, parse_port
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry, Node, Scalar, Sequence, kind

_ANSIBLE = "ansible_"
_SECRET = re.compile(
    r"(.*(password|passwd|passphrase|secret|token|api_?key)|(.*_)?pass"
    r"|ansible_(ssh_)?private_key)",  # the text of a key, for Ansible; `…_file` is its path
    re.IGNORECASE,
)
"""Names whose values are never shown, be they fleetrun's, Ansible's or the user's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value for one field of `Host`, and where it came from.

    Attributes:
        name: the variable or option that gave it.
        value: what the field becomes; None when there is an obstacle.
        place: where it stands.
        obstacle: why the value cannot be known (`is a Jinja template, …`); None when it is.
    """

    name: str
    value: object
    place: Place
    obstacle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The variables of one host or group.

    Attributes:
        values: all of them by name, as text, lists and dictionaries; a password is a `Secret`.
        settings: those that fleetrun knows, by the field of `Host` that they set.
    """

    values: dict[str, object] = field(default_factory=dict)
    settings: dict[str, Setting] = field(default_factory=dict)

    def update(self, other: Variables) -> None:
        """Take the other's on top of these."""
        self.values.update(other.values)
        self.settings.update(other.settings)


def read_variables(entries: dict[str, Entry], source: str) -> Variables:
    """Read the variables of one mapping.

    Raises `InventoryError` when a known one has a value that it cannot have, or when a name is a
    slip of the keyboard away from a known one.
    """
    for name, entry in entries.items():
        meant = _misspelt(name)
        if meant is not None:
            raise Place(source, entry.line).error(
                f"there is no variable {name!r}; did you mean {meant!r}?"
            )
    return Variables(
        values={name: _plain(entry.value, _is_secret(name)) for name, entry in entries.items()},
        settings={
            known.sets: _setting(name, entries[name].value, Place(source, entries[name].line))
            for name, known in _KNOWN.items()
            if name in entries
        },
    )


def read_priority(node: Node, place: Place) -> int:
    """Read a group's `ansible_group_priority`: a whole number, which may be negative."""
    if not isinstance(node, Scalar) or re.fullmatch(r"-?[0-9]{1,9}", node.text) is None:
        raise place.error("ansible_group_priority: it is not a whole number")
    return int(node.text)


def _setting(name: str, node: Node, place: Place) -> Setting:
    obstacle = _obstacle(node)
    try:
        value = None if obstacle else _KNOWN[name].read(node)
    except InventoryError as error:
        raise place.error(f"{name}: {error.message}") from error
    return Setting(name=name, value=value, place=place, obstacle=obstacle)


def _obstacle(node: Node) -> str | None:
    """Say why the value cannot be known here; None if it can."""
    for scalar in _scalars(node):
        if scalar.tag == "!vault":
            return "is encrypted with ansible-vault, which fleetrun does not open"
        if scalar.tag is None and ("{{" in scalar.text or "{%" in scalar.text):
            return "is a Jinja template, which fleetrun does not evaluate"
    return None


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        yield from (item for item in node.items if isinstance(item, Scalar))


def _plain(node: Node, secret: bool) -> object:  # noqa: FBT001 (private, and called for each value)
    """Turn a node into text, lists and dictionaries; within a secret, all text is secret."""
    if isinstance(node, Scalar):
        return Secret(node.text) if secret else node.text
    if isinstance(node, Sequence):
        return [_plain(item, secret) for item in node.items]
    return {
        key: _plain(entry.value, secret or _is_secret(key)) for key, entry in node.entries.items()
    }


@functools.cache
def _is_secret(name: str) -> bool:
    return _SECRET.fullmatch(name) is not None


@functools.cache
def _misspelt(name: str) -> str | None:
    """Return the known variable that the name was probably meant to be; None for honest names.

    A user's own variables may be called anything, `users` and `ports` among them, so of our short
    names only swapped letters count (`usre`). A name that begins with `ansible_` is suspect when
    it is one letter away from a known one; no variable of Ansible's own is.
    """
    if name in _KNOWN:
        return None
    slip = _one_slip if name.startswith(_ANSIBLE) else _two_swapped
    return next((known for known in _KNOWN if slip(name, known)), None)


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter was added, left out or replaced, or two neighbours were swapped."""
    one, other = _differing(one, other)
    return max(len(one), len(other)) <= 1 or _two_swapped(one, other)


def _two_swapped(one: str, other: str) -> bool:
    one, other = _differing(one, other)
    return len(one) == 2 and one == other[::-1]  # noqa: PLR2004 (two is what the name says)


def _differing(one: str, other: str) -> tuple[str, str]:
    """Cut off what the two begin with alike, then what they end with alike."""
    one, other = _without_common_start(one, other)
    one, other = _without_common_start(one[::-1], other[::-1])
    return one[::-1], other[::-1]


def _without_common_start(one: str, other: str) -> tuple[str, str]:
    start = len(commonprefix([one, other]))  # noqa: RUF071 (of letters is what is meant)
    return one[start:], other[start:]


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


_SWITCHES = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class _Known:
    """Which field of `Host` a variable sets, and how its value is read."""

    sets: str
    read: Callable[[Node], object]


_KNOWN = {
    "host": _Known("address", _address),
    "ansible_host": _Known("address", _address),
    "ansible_ssh_host": _Known("address", _address),
    "port": _Known("port", _port),
    "ansible_port": _Known("port", _port),
    "ansible_ssh_port": _Known("port", _port),
    "user": _Known("user", _user),
    "ansible_user": _Known("user", _user),
    "ansible_ssh_user": _Known("user", _user),
    "password": _Known("password", _password),
    "ansible_password": _Known("password", _password),
    "ansible_ssh_pass": _Known("password", _password),
    "ansible_ssh_password": _Known("password", _password),
    "private_key": _Known("private_key", _text),
    "ansible_private_key_file": _Known("private_key", _text),
    "ansible_ssh_private_key_file": _Known("private_key", _text),
    "known_hosts": _Known("known_hosts", _files),
    "host_keys": _Known("host_keys", _policy),
    "ansible_host_key_checking": _Known("host_keys", _checking),
    "ansible_ssh_host_key_checking": _Known("host_keys", _checking),
    "connect_timeout": _Known("connect_timeout_s", _seconds),
    "ansible_timeout": _Known("connect_timeout_s", _seconds),
    "ansible_ssh_timeout": _Known("connect_timeout_s", _seconds),
    "login_timeout": _Known("login_timeout_s", _seconds),
    "command_timeout": _Known("command_timeout_s", _seconds),
}
"""Where one mapping has several names of one setting, the one further down here wins: Ansible's
names beat ours, which an Ansible inventory may use for something else, and of Ansible's the
`ansible_ssh_` ones win, as its ssh connection has it."""
