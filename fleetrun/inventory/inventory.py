"""The inventory: every host resolved, before anything is connected. Layer 5 of the road.

file ─► tree ─► draft ─┬─► resolution ─► Inventory ─► select ─► hosts
inline list ───────────┘
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetrun.hosts import Host
from fleetrun.inventory.ansible_yaml import read_ansible_yaml
from fleetrun.inventory.draft import Draft
from fleetrun.inventory.inline import read_inline
from fleetrun.inventory.overrides import Overrides
from fleetrun.inventory.patterns import Patterns
from fleetrun.inventory.place import Place
from fleetrun.inventory.resolution import resolve
from fleetrun.inventory.source import read_text
from fleetrun.inventory.yaml_tree import parse_yaml

_NONE_GIVEN = Overrides()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All hosts that the sources name, at least one. Immutable; safe to share between threads.

    Attributes:
        hosts: each once, in the order in which they first stand in the source.
        groups: for each group, `all` and `ungrouped` included, the names of the hosts in it or in
            a group below it, in the order of `hosts`.
    """

    hosts: tuple[Host, ...]
    groups: Mapping[str, tuple[str, ...]]

    @classmethod
    def load(cls, source: str | Path, *, overrides: Overrides = _NONE_GIVEN) -> Inventory:
        """Read an inventory file, or a list such as `'web1,root@web2:2222,'`.

        Text with a comma in it is a list; a `Path` is always a file. Raises `InventoryError`,
        with the place, for every mistake that can be seen without connecting.
        """
        draft = Draft()
        if isinstance(source, str) and "," in source:
            place = Place("-i")
            read_inline(filter(None, map(str.strip, source.split(","))), place.source, draft)
        else:
            place = Place(str(source))
            tree = parse_yaml(read_text(Path(source)), place.source)
            read_ansible_yaml(tree, place.source, draft)
        return _from(draft, overrides, place)

    @classmethod
    def of(cls, names: Iterable[str], *, overrides: Overrides = _NONE_GIVEN) -> Inventory:
        """Make an inventory of hosts that are each written `[USER@]NAME[:PORT]`.

        Raises `InventoryError` when one is wrong, or when there is none.
        """
        draft, place = Draft(), Place("host list")
        if isinstance(names, str):
            raise place.error(f"{names!r} is one name; give a list of them")
        read_inline(names, place.source, draft)
        return _from(draft, overrides, place)

    def select(self, limit: str | None) -> tuple[Host, ...]:
        """Return the hosts that the pattern selects, in the order of `hosts`; None means all.

        The language is that of `fleetrun.inventory.patterns`. Raises `InventoryError` when
        nothing is left, or when a part of the pattern names no host or group.
        """
        if limit is None:
            return self.hosts
        selected = Patterns((host.name for host in self.hosts), self.groups).select(limit)
        return tuple(host for host in self.hosts if host.name in selected)


def _from(draft: Draft, overrides: Overrides, place: Place) -> Inventory:
    if not draft.hosts:
        raise place.error("there is no host in it")
    hosts, groups = resolve(draft, overrides)
    return Inventory(hosts=hosts, groups={name: tuple(names) for name, names in groups.items()})
