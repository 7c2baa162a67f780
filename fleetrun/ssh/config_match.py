"""What `Host` and `Match` lines of ssh_config ask for, and whether a host fits. Second step.

`Match exec` is never run: reading a file must not start programs. It never fits, with a warning,
and so do the criteria that ask about the network or the session.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fleetrun.ssh.config_lines import Line

_MATCH_WORD = re.compile(r'"(?P<quoted>[^"]*)"|(?P<plain>[^\s="]+)')
_ALONE = frozenset({"all", "canonical", "final"})
_NOT_EVALUATED = frozenset({"exec", "localnetwork", "tagged", "version", "sessiontype", "command"})


class Subject(Protocol):
    """What a block is matched against: what is known of a host when the block is reached.

    It is asked for what a condition looks at, and for nothing else: most look at the name alone.
    """

    @property
    def name(self) -> str:
        """The host as it was given, or, on the second pass, what that came to."""

    @property
    def original(self) -> str:
        """The host as it was given."""

    @property
    def address(self) -> str:
        """The host name so far: `HostName` if it was set, else the name."""

    @property
    def user(self) -> str:
        """The login name so far."""

    @property
    def local_user(self) -> str:
        """Who we are."""

    @property
    def final(self) -> bool:
        """Whether this is the second pass, which `Match final` asks for."""


class Condition(Protocol):
    """What stands at the head of a block."""

    def fits(self, subject: Subject) -> bool:
        """Tell whether the block is for the host."""


@dataclass(frozen=True, slots=True)
class HostPatterns:
    """A `Host` line. A negated pattern that matches rules the host out, wherever it stands."""

    patterns: tuple[str, ...]

    def fits(self, subject: Subject) -> bool:
        """Tell whether one of the patterns matches the name, and none that is negated."""
        return matches_any(self.patterns, subject.name)

    @property
    def names(self) -> tuple[str, ...] | None:
        """The only names that it can fit; None when a pattern has a wildcard or is negated."""
        if any(char in pattern for pattern in self.patterns for char in "*?!"):
            return None
        return self.patterns


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion of a `Match` line: what it looks at, what is wanted, or not wanted."""

    kind: str
    wanted: str
    negated: bool

    def fits(self, subject: Subject) -> bool:
        """Tell whether it is met."""
        return self.kind not in _NOT_EVALUATED and self._met(subject) is not self.negated

    def _met(self, subject: Subject) -> bool:
        if self.kind == "all":
            return True
        if self.kind in {"final", "canonical"}:
            return subject.final
        wanted = self.wanted.split(",")
        if self.kind == "user":
            return matches_any(wanted, subject.user)
        if self.kind == "localuser":
            return matches_any(wanted, subject.local_user)
        name = subject.address if self.kind == "host" else subject.original
        return matches_any(map(str.lower, wanted), name.lower())


@dataclass(frozen=True, slots=True)
class MatchCriteria:
    """A `Match` line: all of its criteria have to be met."""

    criteria: tuple[Criterion, ...]

    def fits(self, subject: Subject) -> bool:
        """Tell whether all criteria are met."""
        return all(criterion.fits(subject) for criterion in self.criteria)

    @property
    def asks_for_second_pass(self) -> bool:
        """Whether the files are to be read once more when the host name is known."""
        return any(criterion.kind == "final" for criterion in self.criteria)

    @property
    def not_evaluated(self) -> tuple[str, ...]:
        """The criteria that are never met since fleetrun does not evaluate them."""
        return tuple(each.kind for each in self.criteria if each.kind in _NOT_EVALUATED)


def parse_host_line(line: Line) -> HostPatterns:
    """Read a `Host` line."""
    return HostPatterns(tuple(filter(None, line.words)))


def parse_match_line(line: Line) -> MatchCriteria:
    """Read a `Match` line; raises `UsageError` at a criterion that there is not."""
    words = [found["quoted"] or found["plain"] or "" for found in _MATCH_WORD.finditer(line.rest)]
    criteria: list[Criterion] = []
    rest = list(reversed(words))
    while rest and not rest[-1].startswith("#"):
        word = rest.pop()
        kind, negated = word.removeprefix("!").lower(), word.startswith("!")
        if kind not in {*_ALONE, *_NOT_EVALUATED, *_LOOKS_AT_NAMES}:
            raise line.error(f"Match has no criterion {word!r}")
        wanted = ""
        if kind not in _ALONE:
            if not rest or not rest[-1] or rest[-1].startswith("#"):
                raise line.error(f"Match {kind} has no value")
            wanted = rest.pop()
        criteria.append(Criterion(kind, wanted, negated))
    _check(line, criteria)
    return MatchCriteria(tuple(criteria))


_LOOKS_AT_NAMES = frozenset({"host", "originalhost", "user", "localuser"})


def _check(line: Line, criteria: list[Criterion]) -> None:
    if not criteria:
        raise line.error("Match has no criterion")
    if any(each.kind == "all" for each in criteria[:-1]):
        raise line.error(f"Match all cannot stand before {criteria[-1].kind}")


def matches_any(patterns: Iterable[str], text: str) -> bool:
    """Tell whether a pattern matches the text and no negated one (`!pattern`) does."""
    found = False
    for pattern in patterns:
        plain = pattern.removeprefix("!")
        if _matcher(plain)(text):
            if plain != pattern:
                return False
            found = True
    return found


@functools.lru_cache(maxsize=4096)
def _matcher(pattern: str) -> Callable[[str], object]:
    """Return the test for a pattern, in which `*` and `?` alone have a meaning."""
    if "*" not in pattern and "?" not in pattern:
        return pattern.__eq__
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL).fullmatch
