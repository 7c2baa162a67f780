"""Ranges in the names of hosts: `web[01-20]` stands for twenty of them.

Two dialects, which may be mixed in one bracket, and any number of brackets in one name:

    web[01:20]  [1:9:2]  [a:f]     Ansible's; the end belongs to it, the third part is the step
    web[01-20,30]  [1-9/2]         ClusterShell's and pdsh's

A first number with leading zeros gives all of them its width. `fleetrun.folding` goes the other
way. An IPv6 address in brackets is no range.
"""

from __future__ import annotations

import itertools
import math
import re
import string
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fleetrun.errors import InventoryError
from fleetrun.inventory.address import is_ipv6

MAX_NAMES = 1_000_000
"""What one word may stand for: `[0-999999999]` would otherwise fill the memory."""

_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_VALUE = r"[0-9]{1,18}|[A-Za-z]"
_PART = re.compile(
    rf"(?P<begin>{_VALUE})?(?:(?P<colon>:)|-)(?P<end>{_VALUE})"
    r"(?:(?(colon):|/)(?P<step>[0-9]{1,9}))?"
)
_SINGLE = re.compile(_VALUE)


def expand(text: str) -> Sequence[str]:
    """Return the names that the text stands for, in order; the text itself if it has no range.

    Raises `InventoryError`, without a place, when a bracket is no range, or when it would be more
    than a million names.
    """
    if "[" not in text and "]" not in text:
        return (text,)
    pieces = list(_pieces(text))
    if math.prod(sum(len(run.values) for run in piece) for piece in pieces) > MAX_NAMES:
        raise InventoryError(f"{text!r} stands for more than {MAX_NAMES:,} names")
    choices = [[run.written(value) for run in piece for value in run.values] for piece in pieces]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def has_range(text: str) -> bool:
    """Whether each bracket of the text, of which there is one at least, can be read as a range."""
    brackets = _BRACKET.findall(text)
    parts = [part for bracket in brackets for part in bracket.split(",")]
    return bool(brackets) and all(_SINGLE.fullmatch(it) or _PART.fullmatch(it) for it in parts)


class _Run(NamedTuple):
    """A part of a name that varies: its values as numbers, and how they are written.

    Attributes:
        values: numbers, or the places of letters among `string.ascii_letters`.
        width: zeros are put before a number until it has so many digits.
        text: what is written whatever the value; None when the value is.
        letters: whether the values are letters.
    """

    values: range
    width: int = 0
    text: str | None = None
    letters: bool = False

    def written(self, value: int) -> str:
        """Return one of the values as a part of the name."""
        if self.text is not None:
            return self.text
        return string.ascii_letters[value] if self.letters else str(value).zfill(self.width)


def _fixed(text: str) -> list[_Run]:
    return [_Run(range(1), text=text)]


def _pieces(text: str) -> Iterator[list[_Run]]:
    """Yield what each part of the text can be: itself, or each value of its range."""
    end = 0
    for bracket in _BRACKET.finditer(text):
        yield _fixed(_outside(text[end : bracket.start()], text))
        if is_ipv6(bracket[1]):
            yield _fixed(bracket[0])
        else:
            yield [_run(part, text) for part in bracket[1].split(",")]
        end = bracket.end()
    yield _fixed(_outside(text[end:], text))


def _outside(between: str, text: str) -> str:
    if "[" in between or "]" in between:
        raise InventoryError(f"the brackets in {text!r} do not match")
    return between


def _run(part: str, text: str) -> _Run:
    if _SINGLE.fullmatch(part):
        return _Run(range(1), text=part)
    match = _PART.fullmatch(part)
    if match is None:
        raise InventoryError(
            f"{part!r} in {text!r} is no range: ranges are [01:20], [a:f], [1:9:2] or [01-20,30]"
        )
    begin, end, step = match["begin"] or "0", match["end"], int(match["step"] or 1)
    problem = _problem(begin, end, step)
    if problem is not None:
        raise InventoryError(f"the range {part!r} in {text!r} {problem}")
    first, last = map(_value, (begin, end))
    width = len(begin) if begin.startswith("0") else 0
    return _Run(range(first, last + 1, step), width=width, letters=begin.isalpha())


def _problem(begin: str, end: str, step: int) -> str | None:
    """Say why there is no such range; None when there is."""
    if begin.isalpha() != end.isalpha():
        return "has a number at one end and a letter at the other"
    if begin.startswith("0") and len(begin) > 1 and len(begin) != len(end):
        return "has ends of different widths; write both with as many zeros"
    if _value(begin) > _value(end):
        return "begins after its end"
    return None if step else "has a step of 0"


def _value(text: str) -> int:
    """Return the number, or a letter's place: the small ones come before the capitals."""
    return string.ascii_letters.index(text) if text.isalpha() else int(text)
