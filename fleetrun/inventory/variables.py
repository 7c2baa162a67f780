"""Variables as they were written, and what the known ones among them mean. Second step.

    tree ─► layers of variables ─► draft ─► inventory

All variables of one host or group in one place are a layer; what a host has in the end is a stack
of layers, of which the nearer ones win (`fleetrun.inventory.resolution`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fleetrun.errors import InventoryError
from fleetrun.hosts import Secret
from fleetrun.inventory.known import KNOWN, Obstacle, meant_by, resembled_by
from fleetrun.inventory.place import Place
from fleetrun.inventory.remarks import Remarks
from fleetrun.inventory.ssh_arguments import SshArguments
from fleetrun.inventory.tree import Entry, Mapping, Node, Scalar, Sequence

_SECRET = re.compile(
    r"(.*(password|passwd|passphrase|secret|token|api_?key)|(.*_)?pass"
    r"|ansible_(ssh_)?private_key)",  # the text of a key, for Ansible; `…_file` is its path
    re.IGNORECASE,
)
"""Names whose values are never shown, be they fleetrun's, Ansible's or the user's own."""

_WRAPPED = {"__ansible_vault": "!vault", "__ansible_unsafe": "!unsafe"}
"""How `ansible-inventory --list` writes in JSON what has a tag in YAML."""

_VAULT = "kept as written, since fleetrun opens no ansible-vault"
_TEMPLATE = "kept as written, since fleetrun evaluates no Jinja templates"
_UNKNOWABLE = {
    _VAULT: Obstacle(
        "is encrypted with ansible-vault, which fleetrun does not open; write the value itself"
    ),
    _TEMPLATE: Obstacle(
        "is a Jinja template, which fleetrun does not evaluate; write the value itself"
    ),
}


class Variable(NamedTuple):
    """A variable of a host or group, or an option of the command line.

    A named tuple since a large inventory has one for each line.

    Attributes:
        name: as it was written.
        value: text, lists and dictionaries; what is secret is a `Secret`.
        place: where it stands.
        means: what a known one sets its setting to, or an `Obstacle`; None for all others.
    """

    name: str
    value: object
    place: Place
    means: object = None


Layer = dict[str, Variable]
"""The variables of one host or group that stand in one place, by name. Not changed once it is
read: hosts share it."""


def read_variables(entries: dict[str, Entry], source: str, remarks: Remarks) -> Layer:
    """Read the variables of one mapping.

    Raises `InventoryError` when a known one has a value that it cannot have, or when a name is a
    slip of the keyboard away from a known one.
    """
    layer: Layer = {}
    place = Place(source)
    for name, (node, line) in entries.items():
        if line != place.line:  # those of one line share it
            place = Place(source, line)
        meant = meant_by(name)
        if meant is not None:
            raise place.error(f"there is no variable {name!r}; did you mean {meant!r}?")
        resembled = resembled_by(name)
        if resembled is not None:
            remarks.add(place, f"{name!r} sets nothing; did you mean {resembled!r}?")
        layer[name] = _variable(name, node, place, remarks)
    return layer


def settings_of(layers: Iterable[Layer]) -> dict[str, Variable]:
    """Return the variables that give settings, by setting; those of later layers win."""
    settings: dict[str, Variable] = {}
    for layer in layers:
        ranks: dict[str, int] = {}
        for name, variable in layer.items():
            known = KNOWN.get(name)
            if known is not None and known.rank >= ranks.get(known.sets, 0):
                ranks[known.sets] = known.rank
                settings[known.sets] = variable
    return settings


def _variable(name: str, node: Node, place: Place, remarks: Remarks) -> Variable:
    node = _unwrapped(node)
    unknowable = next(filter(None, map(_why_unknowable, _scalars(node))), None)
    if unknowable is not None:
        remarks.add(place, unknowable, name)
    value = _plain(node, _is_secret(name))
    if name not in KNOWN:
        return Variable(name, value, place)
    if unknowable is not None:
        return Variable(name, value, place, _UNKNOWABLE[unknowable])
    try:
        means = KNOWN[name].read(node)
    except InventoryError as error:
        raise place.error(f"{name}: {error.message}") from error
    if isinstance(means, SshArguments) and means.ignored:
        ignored = ", ".join(means.ignored)
        remarks.add(place, f"{name}: fleetrun does not read these options of ssh", ignored)
    return Variable(name, value, place, means)


def _unwrapped(node: Node) -> Node:
    """Return the value that JSON wraps in a mapping, with its tag; other nodes as they are."""
    if not isinstance(node, Mapping) or len(node.entries) != 1:
        return node
    ((key, entry),) = node.entries.items()
    if key not in _WRAPPED or not isinstance(entry.value, Scalar):
        return node
    return entry.value._replace(tag=_WRAPPED[key])


def _why_unknowable(scalar: Scalar) -> str | None:
    if scalar.tag == "!vault":
        return _VAULT
    if scalar.tag is None and ("{{" in scalar.text or "{%" in scalar.text):
        return _TEMPLATE
    return None


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _scalars(item)
    else:
        for entry in node.entries.values():
            yield from _scalars(entry.value)


def _plain(node: Node, secret: bool) -> object:  # noqa: FBT001 (private, and called for each value)
    """Turn a node into text, lists and dictionaries; within a secret, all text is secret."""
    if isinstance(node, Scalar):
        return Secret(node.text) if secret else node.text
    if isinstance(node, Sequence):
        return [_plain(item, secret) for item in node.items]
    return {
        key: _plain(entry.value, secret or _is_secret(key)) for key, entry in node.entries.items()
    }


@functools.lru_cache(maxsize=10_000)
def _is_secret(name: str) -> bool:
    return _SECRET.fullmatch(name) is not None
