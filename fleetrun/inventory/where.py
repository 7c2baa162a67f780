"""Filters on variables: `site=ams and (role~db or not tier=1)`.

    NAME=VALUE    the variable is that; of a list, one of its items is
    NAME~REGEX    the regular expression is found in it, or in one of its items
    NAME!=VALUE   NAME!~REGEX    not so; also where there is no such variable
    not   and   or   ( )         in this order of strength

A value with spaces or brackets stands in quotes. `name`, `address`, `port` and `user` are the
host's, as it is connected to; every other NAME is a variable, `NAME.KEY` a value in a mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from fleetrun.errors import InventoryError
from fleetrun.inventory.place import Place

OPTION = Place("--where")

Ask = Callable[[str], object]
"""Returns what a host has by a name: text, a list or a dictionary; None when it has nothing."""

_Test = Callable[[Ask], bool]

_MAX_DEPTH = 50
"""Brackets that may stand in each other: they are read and asked recursively."""

_TOKEN = re.compile(
    r"(?P<bracket>[()])"
    r"|(?P<name>[A-Za-z_][\w.-]*)\s*(?P<operator>!=|==|=|!~|~)\s*"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[^\s()'\"]+)"
    r"|(?P<word>[^\s()]+)"
)
_ADVICE = "write NAME=VALUE, NAME!=VALUE, NAME~REGEX or NAME!~REGEX, and quote a value with spaces"


class Filter:
    """A filter on the variables of hosts. Immutable; safe to share between threads.

    Attributes:
        names: the names that it asks for, each with the character at which it stands.

    Raises `InventoryError`, with the character, when the text is no filter.
    """

    def __init__(self, text: str) -> None:
        parser = _Parser(text)
        self._accepts = parser.whole()
        self.names: Mapping[str, int] = parser.names

    def accepts(self, ask: Ask) -> bool:
        """Whether it holds for the host that answers."""
        return self._accepts(ask)


def mistake(character: int, message: str) -> InventoryError:
    """Return the error that something is wrong at that character, counted from 1; to be raised."""
    return OPTION.error(f"at character {character}: {message}")


class _Parser:
    """Reads one filter: `or` of `and` of `not` of comparisons and brackets."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, int] = {}
        self._end = len(text) + 1
        self._tokens = [*reversed(list(_TOKEN.finditer(text)))]
        self._depth = 0

    def whole(self) -> _Test:
        test = self._any()
        if self._tokens:
            raise self._unexpected("'and' or 'or' belongs before it")
        return test

    def _any(self) -> _Test:
        tests = [self._all()]
        while self._took("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda ask: any(test(ask) for test in tests)

    def _all(self) -> _Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda ask: all(test(ask) for test in tests)

    def _one(self) -> _Test:
        negated = False
        while self._took("not"):
            negated = not negated
        test = self._in_brackets() if self._took("(") else self._comparison()
        return (lambda ask: not test(ask)) if negated else test

    def _in_brackets(self) -> _Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._unexpected(f"more than {_MAX_DEPTH} brackets stand in each other")
        test = self._any()
        if not self._took(")"):
            raise self._unexpected("')' is missing")
        self._depth -= 1
        return test

    def _comparison(self) -> _Test:
        if not self._tokens or self._tokens[-1]["name"] is None:
            raise self._unexpected(_ADVICE)
        token = self._tokens.pop()
        name, operator, value = token["name"], token["operator"], token["value"]
        self.names.setdefault(name, token.start() + 1)
        fits = _finder(value, token.start("value") + 1) if "~" in operator else _equals(value)
        negated = operator.startswith("!")
        return lambda ask: any(map(fits, _texts(ask(name)))) is not negated

    def _took(self, word: str) -> bool:
        """Take the next token if it is this word or bracket; return whether it was."""
        if not self._tokens or self._tokens[-1][0].lower() != word:
            return False
        self._tokens.pop()
        return True

    def _unexpected(self, message: str) -> InventoryError:
        if not self._tokens:
            return mistake(self._end, f"the filter ends here; {message}")
        token = self._tokens[-1]
        return mistake(token.start() + 1, f"{token[0]!r} was not expected; {message}")


def _equals(value: str) -> Callable[[str], bool]:
    wanted = _unquoted(value)
    return lambda text: text == wanted


def _finder(value: str, character: int) -> Callable[[str], bool]:
    try:
        expression = re.compile(_unquoted(value))
    except re.error as error:
        raise mistake(character, f"{value} is not a regular expression: {error}") from error
    return lambda text: expression.search(text) is not None


def _unquoted(value: str) -> str:
    return value[1:-1] if value[0] in "'\"" else value


def _texts(value: object) -> Iterator[str]:
    """Yield what there is to compare: the text, or the texts in a list."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str | int):
        yield str(value)
