"""Runs each style in each mode, and collects what it did to the caller."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from fleetrun.compare.calls.caller import Caller
from fleetrun.compare.calls.explain import explain
from fleetrun.compare.calls.styles import STYLES, Style, Work
from fleetrun.compare.overlap import peak_overlap
from fleetrun.executors import Mode
from fleetrun.findings.calls import CallFindings, CallRun
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.results import Report
from fleetrun.session import Connect


def measure_calls(
    hosts: Sequence[Host],
    command: str,
    *,
    modes: Sequence[Mode],
    forks: int,
    tell: Callable[[str], None],
    connect: Connect | None = None,
) -> CallFindings:
    """Run the command on the hosts, called for in each style in each mode, and return all of it.

    Before that it is run once on the first host, unmeasured: that pays what is paid once.

    Args:
        hosts: as for `Fleet`.
        command: what each of them runs.
        modes: the modes of the fleets.
        forks: how many hosts at once they are allowed.
        tell: takes a sentence about what comes next.
        connect: as for `Fleet`.

    Raises `UsageError` as `Fleet` does.
    """
    tell(f"warm-up on {hosts[0].name}, not measured")
    with Fleet(hosts[:1], mode=Mode.SEQUENTIAL, connect=connect) as fleet:
        fleet.exec(command)
    runs = []
    for mode in modes:
        for name, style in STYLES.items():
            tell(f"{mode}: {name}")
            work = Work(hosts=hosts, command=command, fleet=_maker(mode, forks, connect))
            runs.append(_run(name, style, mode, work))
    says = explain(runs, forks=forks)
    return CallFindings(hosts=len(hosts), command=command, forks=forks, runs=tuple(runs), says=says)


def _maker(mode: Mode, forks: int, connect: Connect | None) -> Callable[[Sequence[Host]], Fleet]:
    return lambda hosts: Fleet(hosts, mode=mode, forks=forks, connect=connect)


def _run(name: str, style: Style, mode: Mode, work: Work) -> CallRun:
    caller = Caller()
    began_s = time.monotonic()
    style(caller, work)
    wall_seconds = caller.known_at_s - began_s
    report = Report(results=tuple(caller.results), wall_seconds=wall_seconds)
    return CallRun(
        style=name,
        mode=mode,
        wall_seconds=wall_seconds,
        held_seconds=caller.held_seconds,
        ticks=caller.ticks,
        looks=caller.looks,
        wake_ups=caller.wake_ups,
        cpu_seconds=caller.cpu_seconds,
        delay_p50_seconds=statistics.median(caller.delays_s or [0.0]),
        delay_max_seconds=max(caller.delays_s, default=0.0),
        peak_overlap=peak_overlap(
            (result.started_at_s, result.started_at_s + result.seconds)
            for result in report
            if result.started_at_s is not None
        ),
        ok=len(report) - len(report.failed),
        not_ok=len(report.failed),
        exit_code=report.exit_code,
        problem=next(
            (f"{each.host}: {each.outcome.replace('_', ' ')}" for each in report.failed), None
        ),
    )
