"""How the command line spells a time: `10`, `0.5`, `50ms`, `2s`, `1m`, `1h`."""

from __future__ import annotations

import re

import click

_SPELLING = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)?", re.ASCII)
_SECONDS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def delay(text: str) -> float:
    """Return the seconds, zero or more; raises `click.BadParameter`."""
    match = _SPELLING.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a time such as 10, 0.5, 50ms, 2s or 1m.")
    return float(match[1]) * _SECONDS[match[2]]


def timeout(text: str) -> float:
    """Return the seconds, more than zero; raises `click.BadParameter`."""
    seconds = delay(text)
    if seconds == 0:
        raise click.BadParameter("a timeout of zero would leave no time at all.")
    return seconds
