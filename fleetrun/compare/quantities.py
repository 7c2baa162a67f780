"""Measured quantities in the sentences of the experiments: `3.2 ms`, `1.9 MB`, `46 times`."""

from __future__ import annotations

_SECONDS = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))
_BYTES = ((1e6, "MB", 1e-6), (0.0, "kB", 1e-3))
_MANY = 10
_COUNTED = 1000
"""From here on digits are grouped: 1,200."""


def duration(seconds: float) -> str:
    """Return the time in the unit that suits it: `2.1 s`, `35 ms`, `7.3 µs`."""
    unit, scale = next((unit, scale) for least, unit, scale in _SECONDS if seconds >= least)
    return f"{figure(seconds * scale)} {unit}"


def size(count_bytes: float) -> str:
    """Return the size in MB or kB (of 1,000)."""
    unit, scale = next((unit, scale) for least, unit, scale in _BYTES if count_bytes >= least)
    return f"{figure(count_bytes * scale)} {unit}"


def times(ratio: float) -> str:
    """Return `46 times`, `1.8 times`."""
    return f"{figure(ratio)} times"


def figure(value: float) -> str:
    """Return the number with two digits that count, or as a whole one: `0.35`, `3.5`, `1,234`."""
    if value >= _COUNTED:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= _MANY else f"{value:.2g}"


def listed(words: list[str]) -> str:
    """Return the words as a sentence has them: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
