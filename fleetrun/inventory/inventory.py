"""The inventory: which hosts there are, and how each is reached. Layer 5 of the road.

sources ─► tree, lines ─► draft ─► Inventory ─► names ─► hosts
files, scripts, lists     (everything that      select   resolved, when
                           was written)                  they are selected
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fleetrun.hosts import Host
from fleetrun.inventory.draft import UNGROUPED, Draft
from fleetrun.inventory.grouping import Grouping
from fleetrun.inventory.inline import read_inline
from fleetrun.inventory.lookup import Lookup
from fleetrun.inventory.overrides import Overrides
from fleetrun.inventory.patterns import Patterns
from fleetrun.inventory.place import Place
from fleetrun.inventory.resolution import Described, Resolver
from fleetrun.inventory.source import read_source
from fleetrun.inventory.spelling import advice
from fleetrun.inventory.targets import Targets
from fleetrun.inventory.variables import Variable
from fleetrun.inventory.vars_files import read_vars_folders
from fleetrun.inventory.where import OPTION as WHERE
from fleetrun.inventory.where import Filter, mistake

Source = str | Path

_NONE_GIVEN = Overrides()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inventory:
    """All hosts that the sources name, at least one. Immutable; safe to share between threads.

    Attributes:
        names: of all hosts, each once, in the order in which they first stand in the sources.
        groups: for each group, `all` and `ungrouped` included, the names of the hosts in it or in
            a group below it, in the order of `names`.
        grouping: which groups and hosts stand directly in which group.
        warnings: what is not wrong but worth knowing, as `file:line: sentence`.
    """

    names: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    grouping: Grouping
    warnings: tuple[str, ...]
    resolver: Resolver = field(repr=False)

    @classmethod
    def load(
        cls,
        source: Source | Sequence[Source],
        *,
        overrides: Overrides = _NONE_GIVEN,
        origin: str = "-i",
    ) -> Inventory:
        """Read one source, or several, of which each adds to those before it.

        Args:
            source: a file (YAML, INI, JSON or a script), a folder of them, a list such as
                `'web[1-9],root@db1:2222,'`, `'ssh_config:'`, `'known_hosts:'` or `'-'` for
                standard input. A `Path` is always a file or folder.
            overrides: what beats the inventory.
            origin: what gave the source; mistakes in a list point to it.

        Raises `InventoryError`, with the place, for every mistake that can be seen without
        connecting, but for values that matter to a host only once it is selected.
        """
        sources = [source] if isinstance(source, str | Path) else list(source)
        draft = Draft()
        folders = [read_source(each, origin, draft) for each in sources]
        read_vars_folders(filter(None, folders), draft)
        return _from(draft, overrides, Place(", ".join(map(str, sources))))

    @classmethod
    def of(
        cls, names: Iterable[str], *, overrides: Overrides = _NONE_GIVEN, origin: str = "host list"
    ) -> Inventory:
        """Make an inventory of hosts that are each written `[USER@]NAME[:PORT]`, or ranges of them.

        Raises `InventoryError` when one is wrong, or when there is none.
        """
        draft, place = Draft(), Place(origin)
        if isinstance(names, str):
            raise place.error(f"{names!r} is one name; give a list of them")
        read_inline(names, place, draft)
        return _from(draft, overrides, place)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, in the order of `names`; resolved anew each time, as by `select`."""
        return self.select()

    def select(self, targets: str | Targets | None = None) -> tuple[Host, ...]:
        """Return the hosts that are meant, in the order of `names`; text is a pattern for `limit`.

        Raises `InventoryError` as `matching` does, and when a setting that a host needs cannot be
        known: a Jinja template, or what is in a vault.
        """
        return tuple(map(self.resolver.host, self.matching(targets)))

    def describe(self, targets: str | Targets | None = None) -> tuple[Described, ...]:
        """Return the hosts that `select` would, with what is in the way of connecting to each.

        Raises `InventoryError` as `matching` does.
        """
        return tuple(map(self.resolver.described, self.matching(targets)))

    def matching(self, targets: str | Targets | None = None) -> tuple[str, ...]:
        """Return the names of the hosts that are meant, at least one, in the order of `names`.

        Raises `InventoryError` when none is left, or when a part of a pattern names no host and no
        group.
        """
        if targets is None:
            return self.names
        if isinstance(targets, str):
            targets = Targets(limit=targets)
        names = self._where(self._patterns(targets), targets.where)
        if targets.pick is not None and targets.pick < len(names):
            picked = set(random.Random(targets.seed).sample(names, targets.pick))  # noqa: S311 (no secret)
            names = [name for name in names if name in picked]
        return tuple(names)

    def variables(self, name: str) -> Mapping[str, Variable]:
        """Return all variables of a host, by name; raises `KeyError` when there is no such host."""
        return self.resolver.variables(name)

    def _patterns(self, targets: Targets) -> list[str]:
        patterns = Patterns(self.names, self.groups, self.grouping.counted)
        left = set(self.names)
        for name in ("hosts", "limit", "exclude"):
            pattern = getattr(targets, name)
            if pattern is not None:
                option = Place(f"--{name}")
                selected = patterns.select(pattern, option)
                left = left - selected if name == "exclude" else left & selected
                if not left:
                    raise option.error(f"{pattern!r} leaves no host")
        return [name for name in self.names if name in left]

    def _where(self, names: list[str], text: str | None) -> list[str]:
        if text is None:
            return names
        wanted, lookup = Filter(text), Lookup(self.resolver)
        for asked, character in wanted.names.items():
            if all(lookup.value(name, asked) is None for name in self.names):
                near = advice(asked, lookup.names(self.names))
                raise mistake(character, f"no host has a variable {asked!r}{near}")
        left = [name for name in names if wanted.accepts(partial(lookup.value, name))]
        if not left:
            raise WHERE.error(f"{text!r} leaves no host")
        return left


def _from(draft: Draft, overrides: Overrides, place: Place) -> Inventory:
    draft.close()
    if not draft.hosts:
        raise place.error("there is no host in it")
    resolver = Resolver(draft, overrides)
    return Inventory(
        names=tuple(draft.hosts),
        groups={name: tuple(names) for name, names in resolver.members.items()},
        grouping=Grouping.of(draft, resolver.members[UNGROUPED]),
        warnings=draft.remarks.sentences(),
        resolver=resolver,
    )
