from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from burning import BurningConnect

from fleetrun.compare.measure import measure
from fleetrun.events import Event, Finished, Started
from fleetrun.executors import Mode, Plan
from fleetrun.fleet import Fleet
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase, Result, not_run
from fleetrun.runs import Run
from fleetrun.session import Connect
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

BURNT_S = 0.1
ROUNDING_S = 0.001
"""getrusage(2) counts in microseconds, and rounds user and system time each for itself."""

PLAN = Plan(mode=Mode.PROCESSES, workers=3, width=2)


def measured(mode: Mode, connect: Connect, *, hosts: int, forks: int) -> Run:
    names = [f"h{number}" for number in range(hosts)]
    with Fleet(names, mode=mode, forks=forks, max_sessions=0, connect=connect) as fleet:
        return measure(fleet.events(Exec(command="true")), fleet.plan)


def events(results: Sequence[Result]) -> Generator[Event, None, None]:
    for result in results:
        if result.started_at_s is not None:
            yield Started(host=result.host, at_s=result.started_at_s)
    yield from (Finished(result=result) for result in results)


def ended(host: str, begin_s: float, end_s: float, outcome: Outcome = Outcome.OK) -> Result:
    return Result(
        host=host,
        outcome=outcome,
        phase=Phase.CONNECT,
        error=None if outcome is Outcome.OK else "no route",
        started_at_s=begin_s,
        seconds=end_s - begin_s,
    )


def test_sequential_is_exactly_one_host_at_once() -> None:
    run = measured(Mode.SEQUENTIAL, FakeConnect(), hosts=50, forks=8)

    assert (run.peak_overlap, run.forks, run.workers) == (1, 1, 0)


@pytest.mark.parametrize(
    ("mode", "at_once", "workers"),
    [(Mode.THREADS, 8, 0), (Mode.PROCESSES, 3, 3)],
    ids=["threads", "processes"],
)
def test_hosts_that_can_only_go_on_together_overlap_and_are_recorded_so(
    mode: Mode, at_once: int, workers: int, tmp_path: Path
) -> None:
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=at_once))

    run = measured(mode, FakeConnect(others=meeting), hosts=at_once, forks=at_once)

    assert (run.ok, run.not_ok) == (at_once, 0)
    assert (run.peak_overlap, run.forks, run.workers) == (at_once, at_once, workers)


def test_overlap_comes_from_what_was_recorded_and_not_from_when_it_was_heard() -> None:
    spans = [ended("a", 10, 12), ended("b", 11, 13), ended("c", 12, 14)]

    assert measure(events(spans), PLAN).peak_overlap == 2


def test_a_host_that_was_never_begun_overlaps_with_nothing() -> None:
    run = measure(events([not_run("a", "cancelled"), not_run("b", "cancelled")]), PLAN)

    assert (run.peak_overlap, run.ok, run.not_ok) == (0, 0, 2)


@pytest.mark.parametrize("mode", Mode, ids=str)
def test_all_processor_time_of_this_process_and_its_workers_is_counted(mode: Mode) -> None:
    # One host at a time: threads that burn at once would share one count.
    run = measured(mode, BurningConnect(BURNT_S), hosts=2, forks=1)

    assert run.cpu_seconds is not None
    assert run.cpu_seconds >= 2 * BURNT_S - ROUNDING_S


def test_two_workers_are_both_counted() -> None:
    run = measured(Mode.PROCESSES, BurningConnect(BURNT_S), hosts=2, forks=2)

    assert run.cpu_seconds is not None
    assert run.cpu_seconds >= 2 * BURNT_S - ROUNDING_S


def test_a_run_with_all_hosts_ok_is_comparable_and_has_no_problem() -> None:
    run = measure(events([ended("a", 1, 2), ended("b", 1, 2)]), PLAN)

    assert (run.comparable, run.ok, run.not_ok, run.exit_code, run.problem) == (True, 2, 0, 0, None)


def test_a_run_with_a_host_that_was_not_ok_says_how_many_and_what_was_first() -> None:
    run = measure(
        events(
            [
                ended("a", 1, 2),
                ended("b", 1, 2, Outcome.UNREACHABLE),
                ended("c", 1, 2, Outcome.FAILED),
            ]
        ),
        PLAN,
    )

    assert (run.comparable, run.ok, run.not_ok, run.exit_code) == (False, 1, 2, 4)
    assert run.problem == "b: unreachable in connect: no route"


def test_a_run_says_how_wide_it_was() -> None:
    run = measure(events([ended("a", 1, 2)]), PLAN)

    assert (run.mode, run.forks, run.workers) == ("processes", 6, 3)


def test_no_speedup_is_known_from_one_run() -> None:
    assert measure(events([ended("a", 1, 2)]), PLAN).speedup is None
