"""What the sources say of hosts and groups, before anything is inherited. Third step.

    tree ─► draft ─► inventory

Each format of inventory fills a draft (`fleetrun.inventory.ansible_yaml`, `.inline`); the draft
knows no format. It grows while the sources are read, by one thread, and is dropped once resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fleetrun.hosts import check_word
from fleetrun.inventory.place import Place
from fleetrun.inventory.variables import Variables

ALL = "all"
"""The group that holds every host and every group."""

UNGROUPED = "ungrouped"
"""The group of the hosts that are in no other but `all`."""

DEFAULT_PRIORITY = 1
"""Ansible's: of two groups on one level, the one with the higher priority wins."""


@dataclass(slots=True, kw_only=True)
class DraftHost:
    """A host as far as it was read: where it stood first, its own variables, its groups.

    The groups are those that name it, in the order of the source, each once.
    """

    name: str
    place: Place
    variables: Variables = field(default_factory=Variables)
    groups: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class DraftGroup:
    """A group as far as it was read; `children` says of each where it was made one."""

    name: str
    variables: Variables = field(default_factory=Variables)
    priority: int = DEFAULT_PRIORITY
    children: dict[str, Place] = field(default_factory=dict)


class Draft:
    """All hosts and groups as far as they were read, in the order in which they first stood.

    The groups `all` and `ungrouped` are always there. A name that comes again is the same host or
    group, and gets what is new on top.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, DraftHost] = {}
        self.groups = {name: DraftGroup(name=name) for name in (ALL, UNGROUPED)}

    def group(self, name: str) -> DraftGroup:
        """Return the group, which is made if it is new.

        Raises `InventoryError`, without a place, if it cannot be a group's name.
        """
        if name not in self.groups:
            check_word("group name", name)
            self.groups[name] = DraftGroup(name=name)
        return self.groups[name]

    def host(self, name: str, place: Place, *, group: str) -> DraftHost:
        """Return the host, which is made if it is new, as a member of the group."""
        host = self.hosts.get(name)
        if host is None:
            host = self.hosts[name] = DraftHost(name=name, place=place)
        if group not in host.groups:
            host.groups.append(group)
        return host
