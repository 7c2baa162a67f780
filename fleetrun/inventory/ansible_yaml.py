"""Ansible's YAML layout, from its tree into a draft. One format of inventory among others.

all:                      groups, at the top level and nested in each other
  vars: {user: deploy}    variables of the group
  hosts:
    web1: {port: 2222}    hosts, with their own variables
  children:
    databases: …          groups within the group
"""

from __future__ import annotations

from difflib import get_close_matches

from fleetrun.inventory.draft import Draft, DraftGroup
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry, Mapping, Node, Scalar, is_nothing, kind

_SECTIONS = ("vars", "hosts", "children")


def read_ansible_yaml(tree: Node, source: str, draft: Draft) -> None:
    """Add what the tree says to the draft.

    Raises `InventoryError` with the source and the line of whatever is wrong.
    """
    if not isinstance(tree, Mapping):
        raise Place(source, tree.line).error(
            f"an inventory is a mapping of groups, such as 'all:', and this is {kind(tree)}"
        )
    _Reader(source, draft).groups(tree)


class _Reader:
    """Reads one tree into a draft. Used once, by one thread."""

    def __init__(self, source: str, draft: Draft) -> None:
        self._source = source
        self._draft = draft

    def groups(self, tree: Mapping) -> None:
        """Read the top level."""
        if "plugin" in tree.entries:
            raise self._at(tree.entries["plugin"]).error(
                "this configures an Ansible inventory plugin, which fleetrun does not run; "
                "write what it finds to a file with `ansible-inventory --list --yaml`"
            )
        for name, entry in tree.entries.items():
            if name in _SECTIONS:
                raise self._at(entry).error(
                    f"{name!r} stands where groups are; indent it under a group, such as 'all:'"
                )
            self._group(name, entry)

    def _group(self, name: str, entry: Entry) -> None:
        """Read a group, its sections in the order of the file: of a host, what comes later wins."""
        group = self._draft.group(name, self._at(entry))
        read = {"vars": self._vars, "hosts": self._hosts, "children": self._children}
        for key, section in self._mapping(entry, f"group {name!r}").items():
            if key not in read:
                raise self._at(section).error(_no_section(name, key, section.value))
            read[key](group, section)

    def _vars(self, group: DraftGroup, section: Entry) -> None:
        entries = self._mapping(section, f"'vars' of group {group.name!r}")
        self._draft.group_variables(group, entries, self._source)

    def _hosts(self, group: DraftGroup, section: Entry) -> None:
        for key, entry in self._names(section, f"'hosts' of group {group.name!r}").items():
            hosts = self._draft.add_hosts(key, self._at(entry), group=group.name)
            own = self._mapping(entry, f"host {key!r}")
            self._draft.host_variables(hosts, own, self._source)

    def _children(self, group: DraftGroup, section: Entry) -> None:
        for name, entry in self._names(section, f"'children' of group {group.name!r}").items():
            self._draft.add_child(group, name, self._at(entry))
            self._group(name, entry)

    def _names(self, entry: Entry, what: str) -> dict[str, Entry]:
        """Return the hosts or groups of a section; a single one may stand without a colon."""
        only = entry.value
        if isinstance(only, Scalar) and not only.is_empty:
            return {only.text: Entry(Scalar("", only.line), only.line)}
        return self._mapping(entry, what)

    def _mapping(self, entry: Entry, what: str) -> dict[str, Entry]:
        node = entry.value
        if isinstance(node, Mapping):
            return node.entries
        if is_nothing(node):
            return {}
        raise self._at(entry).error(
            f"{what} is {kind(node)}; a mapping belongs here, with a 'name:' on each line"
        )

    def _at(self, entry: Entry) -> Place:
        return Place(self._source, entry.line)


def _no_section(group: str, key: str, value: Node) -> str:
    """Say what to do about a key that a group cannot have."""
    near = get_close_matches(key, _SECTIONS, n=1)
    if near:
        advice = f"did you mean {near[0]!r}?"
    elif isinstance(value, Scalar):
        advice = "a variable belongs under 'vars:'"
    else:
        advice = "a group belongs under 'children:', a host under 'hosts:'"
    return f"group {group!r} cannot have a key {key!r}; {advice}"
