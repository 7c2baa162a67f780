"""Ansible's INI layout, line by line, into a draft. One format of inventory among others.

web1 ansible_host=192.0.2.1 site=ams      a host with its variables; hosts may be ranges
[web]                                     the hosts below are in the group
[web:vars]                                variables of the group, one a line
[prod:children]                           groups within the group, one a line
# and ; begin a comment
"""

from __future__ import annotations

import re
import shlex
from difflib import get_close_matches

from fleetrun.inventory.draft import UNGROUPED, Draft
from fleetrun.inventory.literals import parse_value
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Entry

_SECTION = re.compile(r"\[(?P<group>[^:\]\s]+)(?::(?P<kind>\w+))?\]\s*(?:#.*)?")
_GROUP = re.compile(r"(?P<group>[^:\]\s]+)\s*(?:#.*)?")
_FOR_THE_SHELL = re.compile(r"[\"'\\#]")
"""A line without these is split at white space alone, which is fifty times as fast."""


def read_ini(text: str, source: str, draft: Draft) -> None:
    """Add what the text says to the draft.

    Raises `InventoryError` with the source and the line of whatever is wrong.
    """
    reader = _Reader(source, draft)
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped and stripped[0] not in "#;":
            reader.line(stripped, Place(source, number))
    reader.end_section()


class _Reader:
    """Reads one file into a draft, a line at a time. Used once, by one thread."""

    def __init__(self, source: str, draft: Draft) -> None:
        self._source = source
        self._draft = draft
        self._group = draft.groups[UNGROUPED]
        self._variables: dict[str, Entry] = {}
        self._kinds = {"hosts": self._host, "vars": self._variable, "children": self._child}
        self._read = self._host

    def line(self, line: str, place: Place) -> None:
        """Read a line that is neither empty nor a comment."""
        section = _SECTION.fullmatch(line)
        if section is not None:
            self._begin_section(section["group"], section["kind"] or "hosts", place)
        elif line.startswith("[") and line.endswith("]"):
            raise place.error(
                f"{line!r} is no section: sections are [GROUP], [GROUP:vars] and [GROUP:children], "
                "without spaces"
            )
        else:
            self._read(line, place)

    def end_section(self) -> None:
        """Hand on the variables of the section, if there are any."""
        self._draft.group_variables(self._group, self._variables, self._source)
        self._variables = {}

    def _begin_section(self, group: str, kind: str, place: Place) -> None:
        self.end_section()
        if kind not in self._kinds:
            near = get_close_matches(kind, self._kinds, n=1)
            advice = f"did you mean [{group}:{near[0]}]?" if near else "vars and children are"
            raise place.error(f"[{group}:{kind}] is no kind of section; {advice}")
        get = self._draft.group_elsewhere if kind == "vars" else self._draft.group
        self._group = get(group, place)
        self._read = self._kinds[kind]

    def _host(self, line: str, place: Place) -> None:
        name, *settings = _words(line, place)
        hosts = self._draft.add_hosts(name, place, group=self._group.name)
        entries: dict[str, Entry] = {}
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals or not name:  # it is not shown: it may be the second half of a password
                raise place.error("what follows a host is NAME=VALUE; quote a value with spaces")
            self._add(entries, name, value, place)
        self._draft.host_variables(hosts, entries, self._source)

    def _variable(self, line: str, place: Place) -> None:
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise place.error(f"NAME=VALUE belongs here, in the variables of {self._group.name!r}")
        self._add(self._variables, name.strip(), value.strip(), place)

    def _child(self, line: str, place: Place) -> None:
        match = _GROUP.fullmatch(line)
        if match is None:
            raise place.error(f"the name of a group belongs here, one on each line, not {line!r}")
        self._draft.add_child(self._group, match["group"], place)

    def _add(self, entries: dict[str, Entry], name: str, value: str, place: Place) -> None:
        if name in entries:
            first = entries[name].line
            where = "in this line" if first == place.line else f"first in line {first}"
            self._draft.remarks.add(place, f"{name!r} stands here twice, {where}; the last counts")
        entries[name] = Entry(parse_value(value, place.line), place.line)


def _words(line: str, place: Place) -> list[str]:
    """Split a line as a shell does, up to a comment; the first word is there."""
    if _FOR_THE_SHELL.search(line) is None:
        return line.split()
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:
        raise place.error(f"its quotes do not match ({error})") from error
