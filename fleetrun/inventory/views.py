"""What a host says of its variables without a copy of what it shares with others.

A fleet of 100,000 hosts in one group has the group's variables once. Both are plain dictionaries
when they have crossed to another process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetrun.inventory.place import Place
from fleetrun.inventory.settings import Settings
from fleetrun.inventory.variables import Layer


class Values(Mapping[str, object]):
    """The values of a host's variables: its own, then those it inherits. Immutable."""

    __slots__ = ("_inherited", "_own")

    def __init__(self, own: Layer, inherited: Layer) -> None:
        self._own = own
        self._inherited = inherited

    def __getitem__(self, name: str) -> object:
        own = self._own.get(name)
        return (self._inherited[name] if own is None else own).value

    def __iter__(self) -> Iterator[str]:
        yield from self._inherited
        yield from (name for name in self._own if name not in self._inherited)

    def __len__(self) -> int:
        return len(self._inherited.keys() | self._own.keys())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[str, object]], tuple[dict[str, object]]]:
        return dict, (dict(self),)


class Sources(Mapping[str, str]):
    """Where each field of a host came from: its own place, what is nearer, then what it shares."""

    __slots__ = ("_nearer", "_place", "_shared")

    def __init__(self, place: Place, nearer: Settings, shared: Settings) -> None:
        self._place = place
        self._nearer = nearer
        self._shared = shared

    def __getitem__(self, field: str) -> str:
        if field == "name":
            return str(self._place)
        nearer = self._nearer.get(field)
        return str((self._shared[field] if nearer is None else nearer).place)

    def __iter__(self) -> Iterator[str]:
        yield "name"
        yield from self._shared

    def __len__(self) -> int:
        return len(self._shared) + 1

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[str, str]], tuple[dict[str, str]]]:
        return dict, (dict(self),)
