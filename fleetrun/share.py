"""A part of the hosts: a number of them, or a percentage of all. Layer 1 of the road."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fleetrun.errors import UsageError

_SPELLING = re.compile(r"(\d{1,9})|(\d{1,3}(?:\.\d{1,3})?)%", re.ASCII)
_ALL_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Share:
    """Either so many hosts or so many percent of all hosts. Immutable, picklable.

    Attributes:
        number: how many; 0 or more, and at most 100 for a percentage.
        percent: whether it is a percentage.
    """

    number: float
    percent: bool = False

    @classmethod
    def of(cls, value: Share | int | str) -> Share:
        """Read `5`, `"5"`, `"25%"` or `"2.5%"`; raises `UsageError` for anything else."""
        if isinstance(value, Share):
            return value
        match = _SPELLING.fullmatch(str(value).strip())
        if match is None or (match[2] and float(match[2]) > _ALL_PERCENT):
            raise UsageError(
                f"{str(value)!r} is no number of hosts, such as 5, and no percentage, such as 25%"
            )
        return cls(float(match[2]), percent=True) if match[2] else cls(int(match[1]))

    def among(self, hosts: int) -> int:
        """Return how many of that many hosts it comes to, rounded down."""
        return int(hosts * self.number / _ALL_PERCENT) if self.percent else int(self.number)

    def __str__(self) -> str:
        return f"{self.number:g}{'%' if self.percent else ''}"
