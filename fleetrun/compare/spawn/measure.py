"""Runs the bench once for each kind of worker, and collects what they cost."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from itertools import product
from pathlib import Path

from fleetrun.compare.program import Program
from fleetrun.compare.spawn.explain import explain
from fleetrun.errors import FleetrunError
from fleetrun.findings.spawn import SpawnFindings, WorkerCost

KINDS = ("thread", "greenlet", "fork", "forkserver", "spawn")
"""From the lightest to the heaviest."""

_LIGHT = ("thread", "greenlet")
_LIGHT_FOR_ONE = 20
"""Threads and greenlets that are made for one process: they cost so little that few say nothing."""
_TRIPS = 500
_MOST_KEPT = 8
_BENCH = Path(__file__).with_name("bench.py")


def measure_workers(*, repeat: int, tell: Callable[[str], None]) -> SpawnFindings:
    """Make and end workers of every kind, without and with paramiko, and return what they cost.

    Args:
        repeat: how many processes of each kind; threads and greenlets 20 times as many.
        tell: takes a sentence about what comes next.
    """
    costs = []
    for paramiko, kind in product((False, True), KINDS):
        tell(f"{kind}, {'with paramiko' if paramiko else 'empty'}")
        costs.append(_cost(kind, paramiko=paramiko, repeat=repeat))
    return SpawnFindings(costs=tuple(costs), says=explain(costs))


def _cost(kind: str, *, paramiko: bool, repeat: int) -> WorkerCost:
    if kind not in (*_LIGHT, *multiprocessing.get_all_start_methods()):
        return WorkerCost(kind=kind, paramiko=paramiko, problem="this system has none")
    made, kept = repeat, min(repeat, _MOST_KEPT)
    if kind in _LIGHT:
        made, kept = made * _LIGHT_FOR_ONE, kept * _LIGHT_FOR_ONE
    loaded = "paramiko" if paramiko else "empty"
    with Program(_BENCH, kind, loaded, made, kept, _TRIPS) as bench:
        try:
            return WorkerCost(kind=kind, paramiko=paramiko, **bench.answer())
        except FleetrunError as error:
            return WorkerCost(kind=kind, paramiko=paramiko, problem=str(error))
