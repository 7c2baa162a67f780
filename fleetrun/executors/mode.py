"""Which way the waiting is overlapped, and what that comes to for a given number of hosts.

A mode is three values: how many worker processes there are, how wide each of them is, and what
carries a host inside (OS threads, so far). Engines know the values and never the mode's name.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass

from fleetrun.errors import UsageError
from fleetrun.executors.limits import affordable

DEFAULT_THREADS = 64
_PROCESSES_A_CORE = 2
_DESCRIPTORS_A_HOST = 3
"""A socket; while logging in, the agent or a key file; while copying, the local file."""
_DESCRIPTORS_A_WORKER = 1
"""This end of its socket pair."""


class Mode(enum.StrEnum):
    """How the waiting for many hosts is overlapped."""

    SEQUENTIAL = "sequential"
    """One host after another, in this process: nothing overlaps."""
    THREADS = "threads"
    """OS threads of this process, one host in each."""
    PROCESSES = "processes"
    """Worker processes, one host at a time in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a mode comes to.

    Attributes:
        mode: the mode that was asked for.
        workers: number of worker processes; 0 means that the hosts are worked on in this one.
        width: how many hosts each process works on at once.
        note: a sentence for the user when it is less than was asked for; None otherwise.
    """

    mode: Mode
    workers: int
    width: int
    note: str | None = None

    @property
    def at_once(self) -> int:
        """How many hosts are worked on at once, all processes together."""
        return max(1, self.workers) * self.width


def make_plan(mode: Mode, *, forks: int | None, hosts: int) -> Plan:
    """Return the plan for that many hosts.

    Raises the process's soft limit on open files as far as the plan needs and the hard limit
    allows; where that does not suffice, the plan is smaller and its note says so.

    Args:
        mode: how to overlap.
        forks: at most this many hosts at once; None means 64 threads, or twice as many processes
            as there are cores. One host at once is all that `sequential` ever does.
        hosts: how many hosts there are; there are never more forks than hosts.

    Raises `UsageError` when forks is less than 1.
    """
    if forks is not None and forks < 1:
        raise UsageError(f"forks is {forks}; at least one host at once is needed")
    match mode:
        case Mode.SEQUENTIAL:
            return Plan(mode=mode, workers=0, width=1)
        case Mode.THREADS:
            wanted = _at_most(hosts, forks or DEFAULT_THREADS)
            width = affordable(wanted, descriptors_each=_DESCRIPTORS_A_HOST)
            return Plan(mode=mode, workers=0, width=width, note=_note(wanted, width))
        case Mode.PROCESSES:
            wanted = _at_most(hosts, forks or _PROCESSES_A_CORE * _cores())
            workers = affordable(wanted, descriptors_each=_DESCRIPTORS_A_WORKER)
            return Plan(mode=mode, workers=workers, width=1, note=_note(wanted, workers))


def _at_most(hosts: int, forks: int) -> int:
    return max(1, min(hosts, forks))


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _note(wanted: int, affordable: int) -> str | None:
    if affordable == wanted:
        return None
    return (
        f"{affordable} hosts at once instead of {wanted}: "
        "the limit on open files is too low for more (ulimit -n)"
    )
