"""Who worked on which host when: a lane for each thread or greenlet, the hosts in it in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleetrun.runs import Run, Span

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One thread, greenlet or process.

    Attributes:
        name: what it is, and its number, such as `thread 3` or `worker 2.3` (the third of the
            second worker).
        spans: the hosts it worked on, in the order in which it did.
    """

    name: str
    spans: tuple[Span, ...]


def lanes(run: Run) -> tuple[Lane, ...]:
    """Return the lanes of the run's typical round: as recorded by who worked, not made up."""
    spans = sorted(run.typical.spans, key=lambda span: span.begin_s)
    processes = list(dict.fromkeys(span.process for span in spans))
    by_carrier: dict[tuple[int, int], list[Span]] = {}
    for span in spans:
        by_carrier.setdefault((processes.index(span.process), _number(span.thread)), []).append(
            span
        )
    alone = all(number == 1 for _, number in by_carrier)
    return tuple(
        Lane(name=_name(run, process + 1, number, alone=alone), spans=tuple(by_carrier[key]))
        for key in sorted(by_carrier)
        for process, number in [key]
    )


def _name(run: Run, process: int, number: int, *, alone: bool) -> str:
    if not run.workers:
        return f"thread {number}"
    if run.workers == 1 and not alone:
        return f"greenlet {number}"
    return f"worker {process}" if alone else f"worker {process}.{number}"


def _number(thread: str) -> int:
    """Return the number in the name of a thread; 0 without one."""
    match = _NUMBER.search(thread)
    return int(match[0]) if match else 0


def phase_at(spans: Sequence[Span], at_s: float) -> str | None:
    """Return the phase that one of a lane's hosts was in at that moment; None between hosts."""
    span = next((span for span in spans if span.begin_s <= at_s < span.end_s), None)
    if span is None:
        return None
    left_s = at_s - span.begin_s
    for phase, spent in span.phases:
        if left_s < spent:
            return phase
        left_s -= spent
    return span.phases[-1][0] if span.phases else None
