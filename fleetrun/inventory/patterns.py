"""Which hosts a pattern selects, in Ansible's language of patterns.

    web1            a host or a group; all of them: `all` or `*`
    web*            a glob, over hosts and groups; web[a-c] and web[12].example.com too
    ~web[0-9]+      a regular expression that they begin with
    web[01-20]      a range, of hosts or of groups; all of them have to be there
    web[0]          one of the hosts of a group, counted from 0; [-1] is the last, [0:2] are the
                    first three. Where there is no such group, these are ranges too
    @FILE           the patterns in a file, one a line; # begins a comment
    a,b   a:b       both
    &x              only those that are also in x
    !x              but those in x

However they are ordered, first come the unions, then each `&`, then each `!`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple

from fleetrun.errors import InventoryError
from fleetrun.inventory.address import is_ipv6
from fleetrun.inventory.draft import ALL
from fleetrun.inventory.files import read_text
from fleetrun.inventory.place import Place
from fleetrun.inventory.ranges import expand, has_range
from fleetrun.inventory.spelling import advice
from fleetrun.inventory.words import split_words

_SUBSCRIPT = re.compile(
    r"(?P<base>[^~].*)\[(?:(?P<at>-?[0-9]{1,9})|(?P<first>[0-9]{1,9}):(?P<last>[0-9]{0,9}))\]"
)
_BRACKET = re.compile(r"\[[^\]]*\]")
_AS_A_RANGE = re.compile(r"\[[^\]]*([:,]|[0-9]-|-[0-9])|\[[0-9]+\]$")
_UP_TO_COLON = re.compile(r"((?:\([^)]*\)|\[[^\]]*\]|\{[^}]*\}|[^:])*):")
_MAX_PIECES = 9
"""What the colons of an IPv6 address leave at most: `1:2:3:4:5:6:7::`."""

_MAX_FILES = 16
"""How deep files of patterns may name others."""


class Patterns:
    """Answers patterns for one set of hosts and groups; safe to share between threads.

    Args:
        hosts: the names of all hosts, in order.
        groups: for each group the names of all hosts in it.
        counted: returns the hosts of a group in the order in which they are counted.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        groups: Mapping[str, Sequence[str]],
        counted: Callable[[str], Sequence[str]],
    ) -> None:
        self._hosts = dict.fromkeys(hosts)
        self._groups = groups
        self._counted = counted

    def select(self, pattern: str, option: Place) -> frozenset[str]:
        """Return the names of the hosts that the pattern selects, at least one.

        Raises `InventoryError` at the option when it selects none, or when a part of it names
        nothing: a misspelt `!x` would otherwise let through what it was to keep out.
        """
        selected = self._select(pattern, option, depth=0)
        if not selected:
            raise option.error(f"{pattern!r} leaves no host")
        return selected

    def _select(self, pattern: str, option: Place, *, depth: int) -> frozenset[str]:
        terms = list(self._terms(pattern, option, depth))
        if not terms:
            raise option.error("the pattern is empty; leave the option out to mean every host")
        selected: set[str] = set()  # changed in place: a file may name 20,000 hosts
        for term in [term for term in terms if term[0] not in "&!"] or [ALL]:
            selected.update((term,) if term in self._hosts else self._matches(term, option, depth))
        for term in [term for term in terms if term[0] == "&"]:
            selected.intersection_update(self._matches(term[1:].lstrip(), option, depth))
        for term in [term for term in terms if term[0] == "!"]:
            selected.difference_update(self._matches(term[1:].lstrip(), option, depth))
        return frozenset(selected)

    def _terms(self, pattern: str, option: Place, depth: int) -> Iterator[str]:
        """Split at commas, and at colons where they do not belong to a name or an address."""
        for part in split_words(pattern):
            for term in self._parts(part):
                if term.startswith("@"):
                    yield from self._terms(_lines_of(term, option, depth), option, depth + 1)
                else:
                    yield term

    def _parts(self, part: str) -> Iterator[str]:
        """Split at colons, from the left; as much as is a name or an address is one term."""
        pieces = [part] if part.lstrip("&!").startswith("@") else _split_at_colons(part)
        start = 0
        while start < len(pieces):
            few = pieces[start : start + _MAX_PIECES]
            joined = [":".join(few[:count]).strip() for count in range(len(few), 0, -1)]
            term = next(filter(self._is_whole, joined), None) or next(
                filter(_is_address, joined), joined[-1]
            )
            start += len(joined) - joined.index(term)
            if term:
                yield term

    def _is_whole(self, term: str) -> bool:
        name = _name_in(term)
        return name in self._hosts or name in self._groups

    def _matches(self, term: str, option: Place, depth: int) -> frozenset[str]:
        """Return the hosts of one term: a group's name comes before a host's."""
        if not term:
            raise option.error("a name belongs after '&' and '!'")
        if term.startswith("@"):
            return self._select(_lines_of(term, option, depth), option, depth=depth + 1)
        subscript = _SUBSCRIPT.fullmatch(term)
        if subscript is not None and (named := self._named(subscript["base"], option)) is not None:
            return frozenset(_counted(self._in_order(named), subscript, option))
        if _is_range(term):
            parts = _expanded(term, option)
            return frozenset().union(*(self._matches(part, option, depth) for part in parts))
        named = self._named(term, option)
        if named is None:
            near = advice(term, [*self._groups, *self._hosts])
            raise option.error(f"{term!r} is no host or group{near}")
        return frozenset(named.hosts).union(*(self._groups[group] for group in named.groups))

    def _named(self, term: str, option: Place) -> _Named | None:
        """Return what a name, a glob or a `~regex` means; None if that is nothing."""
        if term in self._groups:
            return _Named([term], [])
        name = term[1:-1] if term.startswith("[") else term
        if name in self._hosts:
            return _Named([], [name])
        matches = _expression(term, option).match
        named = _Named(list(filter(matches, self._groups)), list(filter(matches, self._hosts)))
        return named if named.groups or named.hosts else None

    def _in_order(self, named: _Named) -> Sequence[str]:
        inside = (host for group in named.groups for host in self._counted(group))
        return list(dict.fromkeys([*inside, *named.hosts]))


class _Named(NamedTuple):
    """The groups and the hosts that a name or a glob means."""

    groups: Sequence[str]
    hosts: Sequence[str]


def _split_at_colons(part: str) -> list[str]:
    """Split at the colons that do not stand in brackets; what is between two of them may be ""."""
    return _UP_TO_COLON.findall(f"{part}:")


def _name_in(term: str) -> str:
    return term.lstrip("&!").lstrip()


def _is_address(term: str) -> bool:
    """Whether it is an IPv6 address, with a range in it or without."""
    name = _name_in(term)
    return is_ipv6(name.strip("[]")) or is_ipv6(_BRACKET.sub("1", name))


def _is_range(term: str) -> bool:
    """Whether brackets mean a range, and not what they mean in a glob: `web[a-c]`, `web[12]x`."""
    plain = not term.startswith("~") and not any(char in term for char in "*?")
    return plain and has_range(term) and _AS_A_RANGE.search(term) is not None


def _lines_of(term: str, option: Place, depth: int) -> str:
    """Return the patterns in the file of `@FILE`, as one."""
    if depth > _MAX_FILES:
        raise option.error(f"{term}: files name each other more than {_MAX_FILES} levels deep")
    text = read_text(Path(term[1:]), Place(f"{option}: {term}"))
    lines = map(str.strip, text.splitlines())
    return ",".join(line for line in lines if line and not line.startswith("#"))


def _expanded(term: str, option: Place) -> Sequence[str]:
    try:
        return expand(term)
    except InventoryError as error:
        raise option.error(error.message) from error


def _counted(hosts: Sequence[str], subscript: re.Match[str], option: Place) -> Sequence[str]:
    """Return the hosts at the places that are asked for; both ends of a range belong to it."""
    if subscript["at"] is None:
        last = int(subscript["last"]) + 1 if subscript["last"] else None
        return hosts[int(subscript["first"]) : last]
    at = int(subscript["at"])
    if not -len(hosts) <= at < len(hosts):
        count = "1 host" if len(hosts) == 1 else f"{len(hosts)} hosts"
        raise option.error(f"{subscript[0]!r} is not there: {subscript['base']!r} has {count}")
    return (hosts[at],)


def _expression(term: str, option: Place) -> re.Pattern[str]:
    """Return what the names that a glob or `~regex` means begin with."""
    try:
        return re.compile(term[1:] if term.startswith("~") else translate(term))
    except re.error as error:
        raise option.error(f"{term!r} is not a regular expression: {error}") from error
