"""What a structured source says, word for word, with line numbers. First step of the inventory.

    text ─► tree ─► draft ─► inventory

Scalars keep their spelling: `no`, `022`, `1.10` and `22:22` are what was written, and whoever
wants a number or a switch reads it strictly (`fleetrun.inventory.variables`).

These are named tuples because a large inventory has millions of them, and they are made in half
the time of frozen dataclasses. A part that the source names twice (an alias) is one object.
"""

from __future__ import annotations

from typing import NamedTuple


class Scalar(NamedTuple):
    """A single value.

    Attributes:
        text: as it was written, without quotes; `""` for an empty value.
        line: where it begins, counted from 1; None when the source has no lines.
        tag: `!vault` or `!unsafe`; None for all others.
        quoted: whether it stood in quotes or in a block of its own.
    """

    text: str
    line: int | None
    tag: str | None = None
    quoted: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written, or YAML's words for nothing."""
        return not self.quoted and self.text in _NOTHING


class Sequence(NamedTuple):
    """A list of values, in order; its line is where it begins."""

    items: tuple[Node, ...]
    line: int | None


class Entry(NamedTuple):
    """The value of a key, and the line on which the key stands."""

    value: Node
    line: int | None


class Mapping(NamedTuple):
    """Values by key, in the order of the source; its line is where it begins."""

    entries: dict[str, Entry]
    line: int | None


Node = Scalar | Sequence | Mapping

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
"""YAML 1.1, null type (https://yaml.org/type/null.html)."""


def is_nothing(node: Node) -> bool:
    """Whether the node is an empty value: a section or a file that says nothing."""
    return isinstance(node, Scalar) and node.is_empty


def kind(node: Node) -> str:
    """Name what the node is, with its article, for an error message."""
    if isinstance(node, Scalar):
        return "empty" if node.is_empty else "a single value"
    return "a list" if isinstance(node, Sequence) else "a mapping"
