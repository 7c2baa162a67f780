"""Runs of fake hosts through an executor, and questions about what happened in them."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetrun.events import Event, Finished, PhaseReached
from fleetrun.executors import Carrier, Mode, Plan, execute, make_plan
from fleetrun.executors.cluster import Dask
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import Exec, Operation
from fleetrun.results import Phase, Result
from fleetrun.session import Cancel, Connect, OnPhase, Session

COMMAND = Exec(command="true", live=True)
PATIENCE_S = 20.0

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)
overlapping_modes = pytest.mark.parametrize("mode", [Mode.THREADS, Mode.PROCESSES], ids=str)
worker_modes = pytest.mark.parametrize("mode", [Mode.PROCESSES, Mode.DASK], ids=str)
"""The two kinds of line to a worker process: a socket, and calls over a Dask cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run on its way: its events, to be iterated, and its stop button."""

    events: Generator[Event, None, None]
    cancel: Cancel

    def until(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """Return the events up to the first that is wanted, which must come."""
        seen: list[Event] = []
        for event in self.events:
            seen.append(event)
            if wanted(event):
                return seen
        raise AssertionError(f"the run ended without it: {seen}")


def runs(host: str = "h0") -> Callable[[Event], bool]:
    """Whether an event says that the host's command runs."""
    return lambda event: (
        isinstance(event, PhaseReached) and event.host == host and event.phase is Phase.RUN
    )


def workers_of(mode: Mode, *, workers: int, width: int = 1) -> Plan:
    """Return a plan of that many; a cluster has as many as it has, which is two (`conftest.py`)."""
    if mode is not Mode.DASK:
        return Plan(mode=mode, workers=workers, width=width)
    carrier = Carrier.GREENLETS
    return Plan(mode=mode, workers=workers, width=width, carrier=carrier, place=Dask())


@contextmanager
def running(
    way: Mode | Plan,
    connect: Connect,
    *,
    hosts: int = 8,
    forks: int = 4,
    operation: Operation = COMMAND,
) -> Iterator[Run]:
    """Begin a run on hosts named h0, h1 …, and close it in the end; forks are for a bare mode."""
    jobs = jobs_on([f"h{number}" for number in range(hosts)], operation)
    plan = way if isinstance(way, Plan) else make_plan(way, forks=forks, hosts=hosts)
    cancel = Cancel()
    events = execute(plan, jobs, connect, cancel)
    try:
        yield Run(events=events, cancel=cancel)
    finally:
        events.close()
        cancel.close()


def whole_run(
    way: Mode | Plan,
    connect: Connect,
    *,
    hosts: int = 8,
    forks: int = 4,
    operation: Operation = COMMAND,
) -> list[Event]:
    """Do a run to its end and return all of its events."""
    with running(way, connect, hosts=hosts, forks=forks, operation=operation) as run:
        return list(run.events)


def jobs_on(names: Iterable[str], operation: Operation = COMMAND) -> list[Job]:
    return [Job(host=Host(name=name, user="deploy"), operation=operation) for name in names]


def results_in(events: Iterable[Event]) -> dict[str, Result]:
    """Return the results by host, after checking that no host has two."""
    results = [event.result for event in events if isinstance(event, Finished)]
    counts = Counter(result.host for result in results)
    assert set(counts.values()) <= {1}, f"more than one result: {counts.most_common(3)}"
    return {result.host: result for result in results}


def by_host(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Return each host's events, in the order in which they came."""
    found = defaultdict(list)
    for event in events:
        found[event.host].append(event)
    return dict(found)


def peak_overlap(results: Iterable[Result]) -> int:
    """Return how many hosts were being worked on at once, at most, as the results recorded it."""
    steps = []
    for result in results:
        assert result.started_at_s is not None
        steps += [(result.started_at_s, 1), (result.started_at_s + result.seconds, -1)]
    running_now = peak = 0
    for _, step in sorted(steps):
        running_now += step
        peak = max(peak, running_now)
    return peak


def eventually(condition: Callable[[], bool]) -> None:
    """Return when the condition holds, which it must before long."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.01)


def pid_at(rendezvous: Path, host: str) -> int:
    """Return the id of the process that works on a host which waits at a rendezvous."""
    note = rendezvous / host
    eventually(lambda: note.exists() and note.read_text().endswith("\n"))
    return int(note.read_text())


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and nobody has waited for does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # ended in between, or there is no /proc here
        return not Path("/proc").exists()
    return state != "Z"


@dataclass(frozen=True, slots=True)
class Exits:
    """A `Connect` with a bug of the kind that `except Exception` does not catch."""

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:  # noqa: ARG002
        """Exit."""
        raise SystemExit(f"exit on {host.name}")
