"""Which way the waiting is overlapped, and what that comes to for a given number of hosts.

A mode is three values: how many worker processes there are, how wide each of them is, and what
carries a host inside. Engines know the values and never the mode's name.

    mode          workers         width of each     carrier
    sequential    0 (this one)    1                 threads
    threads       0 (this one)    forks             threads
    processes     forks           1                 threads
    greenlets     1               forks             greenlets
    hybrid        cores           forks / cores     greenlets
    dask          a cluster's     forks / workers   greenlets
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleetrun.errors import UsageError
from fleetrun.executors.limits import affordable, cores

if TYPE_CHECKING:
    from fleetrun.executors.line import Place

DEFAULT_THREADS = 64
DEFAULT_GREENLETS = 512
DEFAULT_AWAY = 256
"""How many hosts at once in each worker of a cluster."""
DEFAULT_MAX_SESSIONS = 1024
_PROCESSES_A_CORE = 2
_FEW_HOSTS = 32
_MANY_HOSTS = 96
DESCRIPTORS_A_HOST = 3
"""A socket; while logging in, the agent or a key file; while copying, the local file."""
_DESCRIPTORS_A_WORKER = 1
"""This end of its socket pair."""
_DESCRIPTORS_A_LINE = 5
"""Both ends of its socket pair; connections for a call that waits, one that brings something and,
at the end, one that kills or closes."""


class Mode(enum.StrEnum):
    """How the waiting for many hosts is overlapped."""

    SEQUENTIAL = "sequential"
    """One host after another, in this process: nothing overlaps."""
    THREADS = "threads"
    """OS threads of this process, one host in each."""
    PROCESSES = "processes"
    """Worker processes, one host at a time in each."""
    GREENLETS = "greenlets"
    """One worker process with an event loop (gevent) that switches at each wait."""
    HYBRID = "hybrid"
    """A worker process for each core, with an event loop in each."""
    DASK = "dask"
    """Worker processes on the machines of a Dask cluster, with an event loop in each."""


LOCAL_MODES = tuple(mode for mode in Mode if mode is not Mode.DASK)
"""Those of this machine, which are meant by "all modes": the other one is for more machines."""


class Carrier(enum.StrEnum):
    """What carries a host within a process."""

    THREADS = "threads"
    GREENLETS = "greenlets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a mode comes to.

    Attributes:
        mode: the mode.
        workers: number of worker processes; 0 means that the hosts are worked on in this one.
        width: how many hosts each process works on at once.
        carrier: what carries each of them there; greenlets are for worker processes alone, since
            the process that imports fleetrun is never patched.
        most: at most that many hosts at once, whatever the number of workers comes to; None when
            the width of each is the only bound.
        place: where the workers are, which may become more and fewer; None for this machine.
        note: a sentence for the user when it is less than was asked for; None otherwise.
        why: why `auto` came to it, a clause; None when the mode was asked for.
    """

    mode: Mode
    workers: int
    width: int
    carrier: Carrier = Carrier.THREADS
    most: int | None = None
    place: Place | None = None
    note: str | None = None
    why: str | None = None

    @property
    def site_key(self) -> str | None:
        """The variable whose value is the site that a host is reached from; None for none."""
        return None if self.place is None else self.place.site_key

    @property
    def at_once(self) -> int:
        """How many hosts are worked on at once, all processes together, at the most."""
        at_once = max(1, self.workers) * self.width
        return at_once if self.most is None else min(at_once, self.most)

    def for_some(self, hosts: int) -> Plan:
        """Return the same plan for a part of its hosts: no process or place that has none."""
        workers = min(self.workers, hosts)
        sharers = 1 if self.site_key is not None else max(1, workers)
        width = min(self.width, -(-hosts // sharers))
        return replace(self, workers=workers, width=max(1, width))


def make_plan(
    mode: Mode | None,
    *,
    forks: int | None,
    hosts: int,
    carrier: Carrier | None = None,
    place: Place | None = None,
) -> Plan:
    """Return the plan for that many hosts.

    Raises the process's soft limit on open files as far as the plan needs and the hard limit
    allows; where that does not suffice, the plan is smaller and its note says so.

    Args:
        mode: how to overlap; None chooses by the number of hosts and cores (`auto`).
        forks: at most this many hosts at once; None means 64 threads, 512 greenlets, or twice as
            many processes as there are cores. One host at once is all that `sequential` ever does.
        hosts: how many hosts there are; there are never more forks than hosts.
        carrier: what carries the hosts in `hybrid`'s workers: threads where gevent cannot be used;
            None means greenlets. No other mode has a choice.
        place: where the workers of `dask` are; None means a cluster on this machine that is started
            for each run.

    Raises `UsageError` when forks is less than 1, and for a carrier in another mode; for `dask`
    what `Place.capacity` raises, and `DependencyError` when Dask is not installed.
    """
    if carrier is not None and mode is not Mode.HYBRID:
        raise UsageError(f"workers full of {carrier} are for the mode {Mode.HYBRID} alone")
    if forks is not None and forks < 1:
        raise UsageError(f"forks is {forks}; at least one host at once is needed")
    match mode:
        case None:
            return _choose(forks=forks, hosts=hosts)
        case Mode.SEQUENTIAL:
            return Plan(mode=mode, workers=0, width=1)
        case Mode.THREADS:
            wanted = _at_most(hosts, forks or DEFAULT_THREADS)
            width = affordable(wanted, descriptors_each=DESCRIPTORS_A_HOST)
            return Plan(mode=mode, workers=0, width=width, note=_note(wanted, width))
        case Mode.PROCESSES:
            wanted = _at_most(hosts, forks or _PROCESSES_A_CORE * cores())
            workers = affordable(wanted, descriptors_each=_DESCRIPTORS_A_WORKER)
            return Plan(mode=mode, workers=workers, width=1, note=_note(wanted, workers))
        case Mode.GREENLETS:
            return _wide(mode, 1, forks=forks, hosts=hosts, carrier=Carrier.GREENLETS)
        case Mode.HYBRID:
            workers = _at_most(hosts, cores() if forks is None else min(forks, cores()))
            return _wide(
                mode, workers, forks=forks, hosts=hosts, carrier=carrier or Carrier.GREENLETS
            )
        case Mode.DASK:
            return _away(place, forks=forks, hosts=hosts)


def idle_in_each(plan: Plan, *, hosts: int, max_sessions: int) -> int:
    """Return how many sessions each process may keep open while nobody uses them; at least 1.

    Where there may be one for every host, each process may have them all: which of them works on
    which hosts is not known before. Else each has its share. Raises the process's soft limit on
    open files, as `make_plan` does; workers inherit it.
    """
    share = max_sessions // max(1, plan.workers)
    wanted = hosts if hosts <= max_sessions else max(1, share)
    busy = plan.width * DESCRIPTORS_A_HOST
    return max(1, affordable(busy + wanted, descriptors_each=1) - busy)


def _wide(mode: Mode, workers: int, *, forks: int | None, hosts: int, carrier: Carrier) -> Plan:
    """Return a plan of workers that each take many hosts at once."""
    default = DEFAULT_GREENLETS if carrier is Carrier.GREENLETS else DEFAULT_THREADS * workers
    share_of_hosts = -(-hosts // workers)
    wanted = _at_most(share_of_hosts, (forks or default) // workers)
    width = affordable(wanted, descriptors_each=DESCRIPTORS_A_HOST)  # a worker inherits the limit
    note = _note(wanted * workers, width * workers)
    return Plan(mode=mode, workers=workers, width=width, carrier=carrier, note=note)


def _away(place: Place | None, *, forks: int | None, hosts: int) -> Plan:
    """Return a plan of a cluster's workers; what limits each is found out where it runs.

    Where hosts have sites, all of them may be for one worker.
    """
    if place is None:
        from fleetrun.executors.cluster import Dask  # noqa: PLC0415 (an extra)

        place = Dask()
    wanted = _at_most(min(hosts, forks or hosts), place.capacity())
    if not place.is_away:
        here = _wide(Mode.DASK, wanted, forks=forks, hosts=hosts, carrier=Carrier.GREENLETS)
        return replace(here, place=place, most=forks)
    workers = affordable(wanted, descriptors_each=_DESCRIPTORS_A_LINE)
    width = DEFAULT_AWAY if forks is None else -(-forks // workers)
    if place.site_key is not None:
        width = max(width, min(forks or DEFAULT_AWAY, DEFAULT_AWAY))
    plan = Plan(
        mode=Mode.DASK,
        workers=workers,
        width=width,
        carrier=Carrier.GREENLETS,
        most=forks,
        place=place,
    )
    return plan.for_some(hosts)


def _choose(*, forks: int | None, hosts: int) -> Plan:
    """Choose for `auto`: what starts at once for few hosts, every core for many.

    The numbers are from `benchmarks/`: a worker takes about 0.2 s to start, in which threads have
    logged in to a hundred hosts; from there on threads take turns at one core, and workers do not.
    """
    if hosts == 1 or forks == 1:
        plan = make_plan(Mode.SEQUENTIAL, forks=forks, hosts=hosts)
        return replace(plan, why="one host at once needs nothing to overlap it")
    if hosts <= _MANY_HOSTS or (forks is not None and forks <= _FEW_HOSTS):
        plan = make_plan(Mode.THREADS, forks=forks, hosts=hosts)
        return replace(plan, why=f"threads start at once, and {plan.at_once} of them are few")
    plan = make_plan(Mode.HYBRID, forks=forks, hosts=hosts)
    return replace(plan, why=f"{hosts} hosts keep {plan.workers} cores busy")


def _at_most(hosts: int, forks: int) -> int:
    return max(1, min(hosts, forks))


def _note(wanted: int, affordable: int) -> str | None:
    if affordable == wanted:
        return None
    return (
        f"{affordable} hosts at once instead of {wanted}: "
        "the limit on open files is too low for more (ulimit -n)"
    )
