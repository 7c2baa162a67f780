"""The layout in which inventory scripts print JSON, from its tree into a draft.

    {"web": {"hosts": ["web1", "web2"], "vars": {"site": "ams"}, "children": ["static"]},
     "db": ["db1"],
     "_meta": {"hostvars": {"web1": {"ansible_port": 2222}}}}

Files may have it too: what `ansible-inventory --list` prints, for one.
"""

from __future__ import annotations

from collections.abc import Callable

from fleetrun.inventory.draft import Draft, DraftGroup, DraftHost
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry, Mapping, Node, Scalar, Sequence, is_nothing, kind

AskHost = Callable[[str], "tuple[Node | None, str]"]
"""Returns what there is to say of one host: the tree of its variables, and its source."""

_META = "_meta"
_HOSTVARS = "hostvars"
_LISTS = frozenset({"hosts", "children"})
_SECTIONS = _LISTS | {"vars"}


def has_script_layout(tree: Node) -> bool:
    """Whether the tree is of this layout, and not of that of `fleetrun.inventory.ansible_yaml`."""
    if not isinstance(tree, Mapping):
        return False
    return _META in tree.entries or any(_is_listed(it.value) for it in tree.entries.values())


def read_script_layout(
    tree: Node, source: str, draft: Draft, *, ask_host: AskHost | None = None
) -> None:
    """Add what the tree says to the draft.

    A script that says nothing of `_meta` is asked about each host by itself, with ask_host. Raises
    `InventoryError` with the source and the line of whatever is wrong.
    """
    reader = _Reader(source, draft)
    reader.groups(_entries(tree, "the inventory", Place(source, tree.line)))
    reader.host_variables(ask_host)


class _Reader:
    """Reads one tree into a draft. Used once, by one thread."""

    def __init__(self, source: str, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._hosts: dict[str, list[DraftHost]] = {}
        self._hostvars: dict[str, Entry] | None = None

    def groups(self, entries: dict[str, Entry]) -> None:
        """Read all groups, and keep what `_meta` says of hosts."""
        for name, entry in entries.items():
            place = self._at(entry)
            if name != _META:
                self._group(self._draft.group(name, place), entry.value, place)
                continue
            meta = _entries(entry.value, repr(_META), place)
            if _HOSTVARS in meta:
                hostvars = meta[_HOSTVARS]
                self._hostvars = _entries(hostvars.value, repr(_HOSTVARS), self._at(hostvars))

    def host_variables(self, ask_host: AskHost | None) -> None:
        """Read the variables of the hosts that are in a group; of others nothing is to be known."""
        for name, hosts in self._hosts.items():
            if self._hostvars is not None:
                entry = self._hostvars.get(name)
                node, source = None if entry is None else entry.value, self._source
            elif ask_host is not None:
                node, source = ask_host(name)
            else:
                continue
            if node is not None:
                place = Place(source, node.line)
                own = _entries(node, f"what there is of host {name!r}", place)
                self._draft.host_variables(hosts, own, source)

    def _group(self, group: DraftGroup, node: Node, place: Place) -> None:
        what = f"group {group.name!r}"
        if isinstance(node, Sequence):
            self._add_hosts(group, node)
            return
        sections = _entries(node, what, place)
        if sections and not sections.keys() & _SECTIONS:
            raise place.error(f"{what} has neither hosts nor vars nor children")
        for name, section in sections.items():
            self._section(group, name, section)

    def _section(self, group: DraftGroup, name: str, section: Entry) -> None:
        place = self._at(section)
        what = f"{name!r} of group {group.name!r}"
        if name == "vars":
            entries = _entries(section.value, what, place)
            self._draft.group_variables(group, entries, self._source)
        elif name not in _LISTS:
            self._draft.remarks.add(place, "groups have no such keys, which are left out", name)
        elif not isinstance(section.value, Sequence):
            raise place.error(f"{what} is {kind(section.value)}; a list belongs here")
        elif name == "hosts":
            self._add_hosts(group, section.value)
        else:
            for child, where in self._names(section.value):
                self._draft.add_child(group, child, where)
                self._draft.group(child, where)

    def _add_hosts(self, group: DraftGroup, listed: Sequence) -> None:
        for name, place in self._names(listed):
            self._hosts[name] = self._draft.add_hosts(name, place, group=group.name)

    def _names(self, listed: Sequence) -> list[tuple[str, Place]]:
        names = []
        for item in listed.items:
            place = Place(self._source, item.line)
            if not isinstance(item, Scalar):
                raise place.error(f"a name belongs here, and this is {kind(item)}")
            names.append((item.text, place))
        return names

    def _at(self, entry: Entry) -> Place:
        return Place(self._source, entry.line)


def _entries(node: Node, what: str, place: Place) -> dict[str, Entry]:
    if isinstance(node, Mapping):
        return node.entries
    if is_nothing(node):
        return {}
    raise place.error(f"{what} is {kind(node)}; a mapping belongs here")


def _is_listed(group: Node) -> bool:
    """Whether the group names its hosts or children in a list."""
    if not isinstance(group, Mapping):
        return isinstance(group, Sequence)
    sections = (group.entries.get(name) for name in _LISTS)
    return any(section is not None and isinstance(section.value, Sequence) for section in sections)
