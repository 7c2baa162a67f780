"""Runs of a comparison that nobody has measured: what a test says, and for the rest what fits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fleetrun.runs import Compared, Machine, Peaks, Round, Run, Span, Usage

IDLE = Machine(
    system="Linux-6.1",
    cores=2,
    load=0.1,
    versions=(("CPython", "3.13.1"), ("paramiko", "5.1.0")),
    command="fleetrun compare --lab 16 'sleep 0.2'",
    began_at="2026-01-02T03:04:05+00:00",
)
IN_THIS_PROCESS = 100
"""The number of the process that works in a run without workers; workers count on from it."""


def span(host: str, begin_s: float, seconds: float, **more: object) -> Span:
    """Return the span of a host that is in the phase run all the time."""
    usual = Span(
        host=host,
        process=IN_THIS_PROCESS,
        thread="fleetrun-1",
        begin_s=begin_s,
        seconds=seconds,
        phases=(("run", seconds),),
        ok=True,
    )
    return dataclasses.replace(usual, **more)  # type: ignore[arg-type] (what a test says)


def spans_of(hosts: int, width: int, *, workers: int, start_s: float, host_s: float) -> list[Span]:
    """Return the spans of hosts that take their turns at so many places, all of them alike."""
    carriers = max(1, width // max(1, workers))
    return [
        span(
            f"h{number}",
            start_s + (number // width) * host_s,
            host_s,
            process=IN_THIS_PROCESS + (number % width) // carriers,
            thread=f"fleetrun-{number % width % carriers + 1}",
        )
        for number in range(hosts)
    ]


def made_run(
    mode: str,
    walls: Sequence[float],
    *,
    forks: int = 16,
    hosts: int = 16,
    workers: int = 0,
    cpu_s: float | None = 0.1,
    host_s: float = 0.5,
    start_s: float = 0.0,
    not_ok: int = 0,
    **more: object,
) -> Run:
    """Return a run of which each host takes so long, in rounds of these wall times."""
    width = min(forks, hosts)
    spans = spans_of(hosts, width, workers=workers, start_s=start_s, host_s=host_s)
    usage = Usage(
        user_seconds=cpu_s or 0.0,
        system_seconds=0.0,
        voluntary_switches=500,
        involuntary_switches=7,
    )
    rounds = tuple(
        Round(
            wall_seconds=wall,
            usage=None if cpu_s is None else usage,
            peak_overlap=width,
            mean_overlap=hosts * host_s / wall,
            spans=tuple(spans),
            ok=hosts - not_ok,
            not_ok=not_ok,
            exit_code=1 if not_ok else 0,
            problem="h0: failed in run: exit status 1" if not_ok else None,
        )
        for wall in walls
    )
    run = Run(mode=mode, forks=forks, wanted=width, workers=workers, rounds=rounds)
    return dataclasses.replace(run, **more)  # type: ignore[arg-type] (what a test says)


def compared(*runs: Run, **more: object) -> Compared:
    """Return a comparison of the runs, fair and unexplained unless a test says otherwise."""
    usual = Compared(runs=runs, machine=IDLE, work="sleep 0.2")
    return dataclasses.replace(usual, **more)  # type: ignore[arg-type] (what a test says)


PEAKS = Peaks(threads=17, processes=1, descriptors=27, memory_bytes=36_400_000)
