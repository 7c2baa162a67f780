"""Which groups a host inherits from, and which of them wins. Fourth step of the inventory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleetrun.inventory.draft import ALL, UNGROUPED, DraftGroup


class Lineage:
    """The order of the groups, as Ansible has it.

    A group's depth is its longest way down from `all`. Variables of deeper groups win; on one
    level those of the higher `ansible_group_priority`, then those of the later name.

    Raises `InventoryError` when a group is its own ancestor.
    """

    def __init__(self, groups: Mapping[str, DraftGroup]) -> None:
        self._groups = groups
        self._parents: dict[str, list[str]] = {name: [] for name in groups}
        for group in groups.values():
            for child in group.children:
                self._parents[child].append(group.name)
        for name, parents in self._parents.items():
            if not parents and name != ALL:
                parents.append(ALL)
        self._depths = self._measure()

    def outermost_first(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return these groups and all their ancestors, `all` first, what wins last.

        A host that is in nothing but `all` is in `ungrouped`; one that is in more is not.
        """
        found = {ALL}
        waiting = [name for name in names if name not in (ALL, UNGROUPED)] or [UNGROUPED]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._parents[name]
        return tuple(sorted(found, key=self._rank))

    def _rank(self, name: str) -> tuple[int, int, str]:
        return (self._depths[name], self._groups[name].priority, name)

    def _measure(self) -> dict[str, int]:
        """Go down from `all`, to each group once all its parents have been measured."""
        children: dict[str, list[str]] = {name: [] for name in self._groups}
        for name, parents in self._parents.items():
            for parent in parents:
                children[parent].append(name)
        open_parents = {name: len(parents) for name, parents in self._parents.items()}
        depths = {ALL: 0}
        waiting = [ALL]
        while waiting:
            parent = waiting.pop()
            for name in children[parent]:
                depths[name] = max(depths.get(name, 0), depths[parent] + 1)
                open_parents[name] -= 1
                if not open_parents[name]:
                    waiting.append(name)
        self._refuse_circle({name for name, count in open_parents.items() if count})
        return depths

    def _refuse_circle(self, unmeasured: set[str]) -> None:
        """Name a circle among the groups that could not be measured, if there are any."""
        if not unmeasured:
            return
        path = [min(unmeasured)]
        while path[-1] not in path[:-1]:  # each of them has a parent that is one of them
            path.append(next(p for p in self._parents[path[-1]] if p in unmeasured))
        circle = path[path.index(path[-1]) :][::-1]
        place = self._groups[circle[-2]].children[circle[-1]]
        chain = " > ".join(circle)
        raise place.error(f"group {circle[0]!r} is its own ancestor: {chain}")
