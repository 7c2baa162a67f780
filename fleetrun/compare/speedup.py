"""How many times as fast a run was as the sequential one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fleetrun.executors import Mode
from fleetrun.runs import Run


def sequential_among(runs: Sequence[Run]) -> Run | None:
    """Return the sequential run whose whole work was done; None when there is none."""
    return next((run for run in runs if run.mode == Mode.SEQUENTIAL and run.comparable), None)


def with_speedups(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs, in their order, each with its speed-up over the sequential one among them.

    It stays None where there is no sequential run, and where either run is not comparable: a host
    that was refused at once, or waited for in vain, says nothing about the mode.
    """
    base = sequential_among(runs)
    if base is None:
        return tuple(runs)
    return tuple(
        dataclasses.replace(run, speedup=base.wall_seconds / run.wall_seconds)
        if run.comparable
        else run
        for run in runs
    )
