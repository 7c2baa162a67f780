"""Names that differ in their numbers, folded into a few words: `web[01-20]`. Layer 1 of the road.

`fleetrun.inventory.ranges` goes the other way: what is folded here expands there to the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERS = re.compile(r"([0-9]+)")

_Numbers = tuple[str, ...]
"""Digits as they are written, each once, in the order of their values."""

_Shape = tuple[str | _Numbers, ...]
"""A folded name: what all its names share, and at every other place the numbers that differ."""


def fold(names: Iterable[str]) -> tuple[str, ...]:
    """Fold names into as few words as that takes, in the order in which they first stand.

    `web01, web02, web03, db1` become `web[01-03], db1`. Several numbers in a name fold together
    where all their combinations are there: `rack[1-2]-node[1-8]`. Leading zeros are kept.
    """
    shapes = [_shape(name) for name in dict.fromkeys(names)]
    for position in range(max(map(len, shapes), default=0) - 2, 0, -2):
        shapes = _merge(shapes, position)
    return tuple("".join(map(_written, shape)) for shape in shapes)


def _shape(name: str) -> _Shape:
    """Take a name apart; text and numbers take turns, numbers at the odd places."""
    return tuple(
        (part,) if position % 2 else part for position, part in enumerate(_NUMBERS.split(name))
    )


def _merge(shapes: list[_Shape], position: int) -> list[_Shape]:
    """Put together the shapes that differ in nothing but the numbers at this place."""
    alike: dict[tuple[_Shape, _Shape], list[str]] = {}
    for shape in shapes:
        others = shape[:position], shape[position + 1 :]
        alike.setdefault(others, []).extend(shape[position] if position < len(shape) else ())
    return [
        (*before, tuple(sorted(numbers, key=_by_value)), *after) if numbers else before
        for (before, after), numbers in alike.items()
    ]


def _by_value(digits: str) -> tuple[int, int]:
    return int(digits), len(digits)


def _written(part: str | _Numbers) -> str:
    if isinstance(part, str):
        return part
    return part[0] if len(part) == 1 else f"[{','.join(_runs(part))}]"


def _runs(numbers: _Numbers) -> list[str]:
    """Write numbers as `1-5` and `8`; those of one run have the same leading zeros."""
    padded = {len(digits) for digits in numbers if digits.startswith("0") and digits != "0"}
    runs: list[list[str]] = []
    last: dict[int, list[str]] = {}
    for digits in numbers:
        width = len(digits) if len(digits) in padded else 0
        run = last.get(width)
        if run is not None and int(digits) == int(run[-1]) + 1:
            run[1:] = [digits]
        else:
            last[width] = [digits]
            runs.append(last[width])
    return ["-".join(run) for run in runs]
