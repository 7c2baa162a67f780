"""How the command line spells a time: `10`, `0.5`, `50ms`, `2s`, `1m`, `1h`."""

from __future__ import annotations

import re

import click

_SPELLING = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)?", re.ASCII)
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):
    """A time in seconds, as a float; zero only where it is allowed."""

    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; fails in one sentence."""
        if isinstance(value, float):
            return value
        match = _SPELLING.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration such as 10, 0.5, 50ms, 2s or 1m", param, ctx)
        seconds = float(match[1]) * _SECONDS[match[2]]
        if seconds == 0 and not self._zero:
            self.fail("a duration of zero would leave no time at all", param, ctx)
        return seconds
