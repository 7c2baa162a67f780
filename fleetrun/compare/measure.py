"""One run, watched: its events go by and are forgotten, what it took is kept."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing

from fleetrun.compare.cpu import CpuClock
from fleetrun.compare.overlap import peak_overlap
from fleetrun.events import Event, Finished
from fleetrun.executors import Plan
from fleetrun.results import Report, Result
from fleetrun.runs import Run


def measure(events: Generator[Event, None, None], plan: Plan) -> Run:
    """Take the events of one run, from the first to the last, and return what the run took.

    The events are those of `Fleet.events`, none of which was asked for yet: nothing has begun.
    When they end, the run's threads and worker processes have ended and were waited for, so their
    processor time is in the account. Its speed-up is not known here.
    """
    cpu = CpuClock()
    began_s = time.perf_counter()
    with closing(events):
        results = tuple(event.result for event in events if isinstance(event, Finished))
    wall_seconds = time.perf_counter() - began_s
    cpu_seconds = cpu.seconds
    report = Report(results=results, wall_seconds=wall_seconds)
    return Run(
        mode=plan.mode,
        forks=plan.at_once,
        workers=plan.workers,
        wall_seconds=wall_seconds,
        cpu_seconds=cpu_seconds,
        peak_overlap=_peak_overlap(report),
        ok=len(report) - len(report.failed),
        not_ok=len(report.failed),
        exit_code=report.exit_code,
        problem=next(map(_problem, report.failed), None),
    )


def _peak_overlap(report: Report) -> int:
    """Return how many hosts were worked on at one moment, by the clock of who worked on them."""
    return peak_overlap(
        (result.started_at_s, result.started_at_s + result.seconds)
        for result in report
        if result.started_at_s is not None
    )


def _problem(result: Result) -> str:
    """Return a clause such as `web3: unreachable in connect: connection refused`."""
    where = "" if result.phase is None else f" in {result.phase}"
    why = "" if result.error is None else f": {result.error}"
    return f"{result.host}: {result.outcome.replace('_', ' ')}{where}{why}"
