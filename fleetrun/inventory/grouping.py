"""The tree of groups, as it was written: which groups and hosts stand directly in which."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fleetrun.inventory.draft import ALL, UNGROUPED, Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Who stands directly in which group. Immutable.

    Attributes:
        children: for each group the groups in it; all but `all` are in at least one.
        hosts: for each group the hosts that it names itself, in the order in which it does;
            `ungrouped` names those that nothing else but `all` does.
    """

    children: Mapping[str, tuple[str, ...]]
    hosts: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, draft: Draft, ungrouped: Collection[str]) -> Grouping:
        """Return the grouping of a draft; `ungrouped` are the names of the hosts in that group."""
        children = {name: tuple(group.children) for name, group in draft.groups.items()}
        below = {child for group in children.values() for child in group} | {ALL}
        top = [name for name in draft.groups if name not in below]
        children[ALL] = tuple(dict.fromkeys((UNGROUPED, *children[ALL], *top)))
        hosts = {name: tuple(group.hosts) for name, group in draft.groups.items()}
        alone = set(ungrouped)
        named = (name for name in hosts[UNGROUPED] if name in alone)
        hosts[UNGROUPED] = tuple(dict.fromkeys((*named, *ungrouped)))
        return cls(children=children, hosts=hosts)

    def counted(self, group: str) -> tuple[str, ...]:
        """Return the hosts in a group and below, each once, in the order in which Ansible counts.

        That is level by level: the group's own hosts, then those of its children.
        """
        groups = [group]
        for name in groups:  # which grows meanwhile
            groups += [child for child in self.children[name] if child not in groups]
        return tuple(dict.fromkeys(host for name in groups for host in self.hosts[name]))
