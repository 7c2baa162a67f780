"""Which hosts a pattern selects, in Ansible's language of patterns.

    web1          a host or a group; all of them: `all` or `*`
    web*          a glob, over hosts and groups
    ~web[0-9]+    a regular expression that they begin with
    a,b   a:b     both
    &x            only those that are also in x
    !x            but those in x

However they are ordered, first come the unions, then each `&`, then each `!`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import translate

from fleetrun.errors import InventoryError
from fleetrun.inventory.address import is_ipv6
from fleetrun.inventory.draft import ALL
from fleetrun.inventory.place import Place

_OPTION = Place("--limit")


class Patterns:
    """Answers patterns for one set of hosts and groups; safe to share between threads."""

    def __init__(self, hosts: Iterable[str], groups: Mapping[str, Collection[str]]) -> None:
        self._hosts = frozenset(hosts)
        self._groups = groups

    def select(self, pattern: str) -> frozenset[str]:
        """Return the names of the hosts that the pattern selects, at least one.

        Raises `InventoryError` when it selects none, or when a part of it names nothing: a
        misspelt `!x` would otherwise let through what it was to keep out.
        """
        terms = list(self._terms(pattern))
        if not terms:
            raise _OPTION.error("the pattern is empty; leave the option out to mean every host")
        selected: frozenset[str] = frozenset()
        for term in [term for term in terms if term[0] not in "&!"] or [ALL]:
            selected |= self._matches(term)
        for term in [term for term in terms if term[0] == "&"]:
            selected &= self._matches(term[1:].lstrip())
        for term in [term for term in terms if term[0] == "!"]:
            selected -= self._matches(term[1:].lstrip())
        if not selected:
            raise _OPTION.error(f"{pattern!r} leaves no host")
        return selected

    def _terms(self, pattern: str) -> Iterator[str]:
        """Split at commas, and at colons where they do not belong to a name or an address."""
        for part in _split(pattern, ","):
            name = part.lstrip("&!")
            whole = name in self._hosts or name in self._groups or is_ipv6(name.strip("[]"))
            yield from [part] if whole else _split(part, ":")

    def _matches(self, term: str) -> frozenset[str]:
        """Return the hosts of one term: a group's name comes before a host's."""
        if term in self._groups:
            return frozenset(self._groups[term])
        name = term[1:-1] if term.startswith("[") else term
        if name in self._hosts:
            return frozenset({name})
        expression = _expression(term)
        hosts = frozenset(filter(expression.match, self._hosts))
        groups = list(filter(expression.match, self._groups))
        if not hosts and not groups:
            raise self._nothing(term)
        return hosts.union(*(self._groups[group] for group in groups))

    def _nothing(self, term: str) -> InventoryError:
        near = get_close_matches(term, [*self._groups, *sorted(self._hosts)])
        advice = f"; did you mean {' or '.join(near)}?" if near else ""
        return _OPTION.error(f"{term!r} is no host or group{advice}")


def _split(text: str, separator: str) -> list[str]:
    """Split, but not within brackets, and drop what is empty."""
    part = rf"(?:\([^)]*\)|\[[^\]]*\]|\{{[^}}]*\}}|[^{separator}])+"
    return [found.strip() for found in re.findall(part, text) if found.strip()]


def _expression(term: str) -> re.Pattern[str]:
    """Return what the names that a glob or `~regex` means begin with."""
    if not term:
        raise _OPTION.error("a name belongs after '&' and '!'")
    if not term.startswith("~"):
        if "[" in term or "]" in term:
            raise _OPTION.error(f"{term!r}: brackets are not read; use a glob, or ~ and a regex")
        return re.compile(translate(term))
    try:
        return re.compile(term[1:])
    except re.error as error:
        raise _OPTION.error(f"{term!r} is not a regular expression: {error}") from error
