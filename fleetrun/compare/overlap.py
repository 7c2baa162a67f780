"""How many things went on at one moment, from when each began and ended."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

Span = tuple[float, float]
"""A beginning and an end, in seconds on one clock."""


def peak_overlap(spans: Iterable[Span]) -> int:
    """Return the largest number of spans that share a moment; 0 for none. They come in any order.

    A span ends before another begins at the same moment: one thing after another is one at once,
    also on a clock too coarse to see the time between.
    """
    open_ends: list[float] = []
    peak = 0
    for begin, end in sorted(spans):
        while open_ends and open_ends[0] <= begin:
            heapq.heappop(open_ends)
        heapq.heappush(open_ends, end)
        peak = max(peak, len(open_ends))
    return peak


def mean_overlap(spans: Iterable[Span], *, seconds: float) -> float:
    """Return how many spans went on at once on average over that many seconds; 0 for no time."""
    return sum(end - begin for begin, end in spans) / seconds if seconds > 0 else 0.0
