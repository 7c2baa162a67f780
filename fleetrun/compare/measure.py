"""One round, watched: its events go by and are forgotten, what it took is kept."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing

from fleetrun.compare.cpu import CpuClock
from fleetrun.compare.overlap import mean_overlap, peak_overlap
from fleetrun.events import Event, Finished
from fleetrun.results import Phase, Report, Result
from fleetrun.runs import START, Round, Span

_ORDER = list(Phase)
_TOO_SHORT_S = 1e-6
"""What adding up the phases leaves over, which is none of them."""


def measure(events: Generator[Event, None, None]) -> Round:
    """Take the events of one round, from the first to the last, and return what it took.

    The events are those of `Fleet.events`, none of which was asked for yet: nothing has begun.
    When they end, the round's threads and worker processes have ended and were waited for, so
    their processor time is in the account.
    """
    cpu = CpuClock()
    began_s = time.monotonic()  # the clock of `Result.started_at_s`
    with closing(events):
        results = tuple(event.result for event in events if isinstance(event, Finished))
    wall_seconds = time.monotonic() - began_s
    usage = cpu.usage
    spans = tuple(
        _span(result, result.started_at_s - began_s)
        for result in results
        if result.started_at_s is not None
    )
    worked_on = [(span.begin_s, span.end_s) for span in spans]
    report = Report(results=results)
    return Round(
        wall_seconds=wall_seconds,
        usage=usage,
        peak_overlap=peak_overlap(worked_on),
        mean_overlap=mean_overlap(worked_on, seconds=wall_seconds),
        spans=spans,
        ok=len(report) - len(report.failed),
        not_ok=len(report.failed),
        exit_code=report.exit_code,
        problem=next(map(_problem, report.failed), None),
    )


def _span(result: Result, begin_s: float) -> Span:
    """Return when a host was worked on, by the clock of who worked on it."""
    phases = sorted(result.phase_seconds.items(), key=lambda item: _ORDER.index(item[0]))
    return Span(
        host=result.host,
        process=result.process or 0,
        thread=result.thread or "",
        begin_s=begin_s,
        seconds=result.seconds,
        phases=(*_start(result), *((phase.value, seconds) for phase, seconds in phases)),
        ok=result.ok,
    )


def _start(result: Result) -> Iterator[tuple[str, float]]:
    """Yield what passed before the first phase: a worker's first host waits for its imports."""
    seconds = result.seconds - sum(result.phase_seconds.values())
    if seconds > _TOO_SHORT_S:
        yield START, seconds


def _problem(result: Result) -> str:
    """Return a clause such as `web3: unreachable in connect: connection refused`."""
    where = "" if result.phase is None else f" in {result.phase}"
    why = "" if result.error is None else f": {result.error}"
    return f"{result.host}: {result.outcome.replace('_', ' ')}{where}{why}"
