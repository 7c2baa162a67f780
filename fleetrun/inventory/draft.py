"""What the sources say of hosts and groups, before anything is inherited. Third step.

    tree, lines ─► draft ─► inventory

Each format of inventory fills a draft (`fleetrun.inventory.ansible_yaml`, `.ini`, `.inline` …);
the draft knows no format. It grows while the sources are read, by one thread, and is dropped once
resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetrun.errors import InventoryError
from fleetrun.hosts import check_word
from fleetrun.inventory.address import parse_address
from fleetrun.inventory.known import read_priority
from fleetrun.inventory.place import Place
from fleetrun.inventory.ranges import expand
from fleetrun.inventory.remarks import Remarks
from fleetrun.inventory.spelling import advice
from fleetrun.inventory.tree import Entry, Scalar
from fleetrun.inventory.variables import Layer, read_variables

ALL = "all"
"""The group that holds every host and every group."""

UNGROUPED = "ungrouped"
"""The group of the hosts that are in no other but `all`."""

PRIORITY = "ansible_group_priority"
DEFAULT_PRIORITY = 1
"""Ansible's: of two groups on one level, the one with the higher priority wins."""

MAX_HOSTS = 1_000_000
"""A bound on what a mistake can ask for: ten times the largest fleet that we care for."""

_NOTHING: Mapping[str, str] = {}


@dataclass(slots=True, kw_only=True)
class DraftHost:
    """A host as far as it was read: where it stood first, its variables, the groups that name it.

    What comes later in the layers wins; the groups come in the order of the sources, each once.
    """

    name: str
    place: Place
    layers: tuple[Layer, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class DraftGroup:
    """A group as far as it was read.

    Attributes:
        name: of the group.
        layers: its variables; what comes later wins.
        priority: decides between groups on one level.
        children: the groups in it, and where each was made one.
        hosts: the hosts that it names itself, in the order in which they were added.
    """

    name: str
    layers: tuple[Layer, ...] = ()
    priority: int = DEFAULT_PRIORITY
    children: dict[str, Place] = field(default_factory=dict)
    hosts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsFolder:
    """What stands in `group_vars/` and `host_vars/` beside a source, by group and by host."""

    groups: Mapping[str, tuple[Layer, ...]]
    hosts: Mapping[str, tuple[Layer, ...]]


class Draft:
    """All hosts and groups as far as they were read, in the order in which they first stood.

    The groups `all` and `ungrouped` are always there. A name that comes again is the same host or
    group, and gets what is new on top.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, DraftHost] = {}
        self.groups = {name: DraftGroup(name=name) for name in (ALL, UNGROUPED)}
        self.remarks = Remarks()
        self.vars_folders: list[VarsFolder] = []
        self._told: dict[str, tuple[Mapping[str, str], Place]] = {}
        self._without_group: dict[str, Place] = {}
        self._waiting: dict[str, list[tuple[DraftGroup, Place]]] = {}
        self._same_groups: dict[tuple[str, ...], tuple[str, ...]] = {}  # so that hosts share them

    def group(self, name: str, place: Place) -> DraftGroup:
        """Return the group, which is made if it is new.

        Raises `InventoryError` if it cannot be a group's name.
        """
        self._without_group.pop(name, None)
        group = self.groups.get(name)
        return self._new_group(name, place) if group is None else group

    def group_elsewhere(self, name: str, place: Place) -> DraftGroup:
        """Return a group that has to stand somewhere else, before this place or after it."""
        if name not in self.groups:
            self._without_group[name] = place
            return self._new_group(name, place)
        return self.groups[name]

    def add_child(self, parent: DraftGroup, child: str, place: Place) -> None:
        """Put a group into another; if there is no such group yet, as soon as there is.

        The order of a group's children counts in patterns (`web[0]`), and this is Ansible's.
        """
        if child == ALL:
            raise place.error(f"{ALL!r} holds every group and is no child of one")
        if child in self.groups:
            parent.children.setdefault(child, place)
        else:
            self._waiting.setdefault(child, []).append((parent, place))

    def add_hosts(self, text: str, place: Place, *, group: str) -> list[DraftHost]:
        """Return the hosts that are written `[USER@]NAME[:PORT]`, with ranges or without.

        Those that are new are made, as members of the group. Raises `InventoryError`.
        """
        try:
            addresses = [parse_address(name) for name in expand(text)]
        except InventoryError as error:
            raise place.error(error.message) from error
        return [
            self.add_host(address.name, place, group=group, told=address.variables)
            for address in addresses
        ]

    def add_host(
        self, name: str, place: Place, *, group: str, told: Mapping[str, str] = _NOTHING
    ) -> DraftHost:
        """Return the host, which is made if it is new, as a member of the group.

        The variables that are told are those that the way it is written gives it. Raises
        `InventoryError` when it was told others before, and when there are too many hosts.
        """
        host = self.hosts.get(name)
        if host is None:
            if len(self.hosts) == MAX_HOSTS:
                raise place.error(f"there are more than {MAX_HOSTS:,} hosts")
            host = self.hosts[name] = DraftHost(name=name, place=place)
        if group not in host.groups:
            groups = (*host.groups, group)
            host.groups = self._same_groups.setdefault(groups, groups)
            self.groups[group].hosts.append(name)
        if told:
            self._check_same(name, told, place)
            entries = {
                variable: Entry(Scalar(value, place.line, quoted=True), place.line)
                for variable, value in told.items()
            }
            self.host_variables([host], entries, place.source)
        return host

    def host_variables(
        self, hosts: Iterable[DraftHost], entries: dict[str, Entry], source: str
    ) -> None:
        """Put variables on top of those that each of the hosts has."""
        if entries:
            layer = read_variables(entries, source, self.remarks)
            for host in hosts:
                host.layers = (*host.layers, layer)

    def group_variables(self, group: DraftGroup, entries: dict[str, Entry], source: str) -> None:
        """Put variables on top of those that the group has."""
        entries = dict(entries)
        priority = entries.pop(PRIORITY, None)
        if priority is not None:
            try:
                group.priority = read_priority(priority.value)
            except InventoryError as error:
                raise Place(source, priority.line).error(f"{PRIORITY}: {error.message}") from error
        if entries:
            group.layers = (*group.layers, read_variables(entries, source, self.remarks))

    def close(self) -> None:
        """Check what can be checked once all sources have been read."""
        for name, ((_, place), *_) in self._waiting.items():
            self._without_group[name] = place
        for name, place in self._without_group.items():
            known = [group for group in self.groups if group not in self._without_group]
            raise place.error(f"there is no group {name!r}{advice(name, known)}")
        for name in sorted(self.groups.keys() & self.hosts.keys()):
            self.remarks.add(self.hosts[name].place, "names of a host and of a group", name)

    def _new_group(self, name: str, place: Place) -> DraftGroup:
        try:
            check_word("group name", name)
        except InventoryError as error:
            raise place.error(error.message) from error
        group = self.groups[name] = DraftGroup(name=name)
        for parent, where in self._waiting.pop(name, ()):
            parent.children.setdefault(name, where)
        return group

    def _check_same(self, name: str, told: Mapping[str, str], place: Place) -> None:
        """Refuse one name with two ports or users: one of them would be lost."""
        first, where = self._told.setdefault(name, (told, place))
        if first != told:
            raise place.error(
                f"host {name!r} stands in {where} with another port or user; give the "
                "two different names, and say 'host:' below each"
            )
