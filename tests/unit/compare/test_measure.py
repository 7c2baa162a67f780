from __future__ import annotations

import dataclasses
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from burning import BurningConnect

from fleetrun.compare.measure import measure
from fleetrun.events import Event, Finished, Started
from fleetrun.executors import Mode
from fleetrun.fleet import Fleet
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase, Result, not_run
from fleetrun.runs import START, Round
from fleetrun.session import Connect
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

BURNT_S = 0.1
ROUNDING_S = 0.001
"""getrusage(2) counts in microseconds, and rounds user and system time each for itself."""


def measured(mode: Mode, connect: Connect, *, hosts: int, forks: int) -> Round:
    names = [f"h{number}" for number in range(hosts)]
    with Fleet(names, mode=mode, forks=forks, max_sessions=0, connect=connect) as fleet:
        return measure(fleet.events(Exec(command="true")))


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

    assert run.peak_overlap == 1
    assert run.mean_overlap <= 1


@pytest.mark.parametrize(
    ("mode", "at_once"),
    [(Mode.THREADS, 8), (Mode.PROCESSES, 3), (Mode.GREENLETS, 8), (Mode.HYBRID, 8)],
    ids=["threads", "processes", "greenlets", "hybrid"],
)
def test_hosts_that_can_only_go_on_together_overlap_and_are_recorded_so(
    mode: Mode, at_once: int, tmp_path: Path
) -> None:
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=at_once))

    run = measured(mode, FakeConnect(others=meeting), hosts=at_once, forks=at_once)

    assert (run.ok, run.not_ok) == (at_once, 0)
    assert run.peak_overlap == at_once


def test_overlap_comes_from_what_was_recorded_and_not_from_when_it_was_heard() -> None:
    spans = [ended("a", 10, 12), ended("b", 11, 13), ended("c", 12, 14)]

    assert measure(events(spans)).peak_overlap == 2


def test_a_host_that_was_never_begun_overlaps_with_nothing() -> None:
    run = measure(events([not_run("a", "cancelled"), not_run("b", "cancelled")]))

    assert (run.peak_overlap, run.ok, run.not_ok) == (0, 0, 2)


@pytest.mark.parametrize("mode", Mode, ids=str)
def test_all_processor_time_of_this_process_and_its_workers_is_counted(mode: Mode) -> None:
    # One host at a time: threads that burn at once would share one count.
    run = measured(mode, BurningConnect(BURNT_S), hosts=2, forks=1)

    assert run.usage is not None
    assert run.usage.cpu_seconds >= 2 * BURNT_S - ROUNDING_S


def test_two_workers_are_both_counted() -> None:
    run = measured(Mode.PROCESSES, BurningConnect(BURNT_S), hosts=2, forks=2)

    assert run.usage is not None
    assert run.usage.cpu_seconds >= 2 * BURNT_S - ROUNDING_S


def test_a_run_with_all_hosts_ok_is_comparable_and_has_no_problem() -> None:
    run = measure(events([ended("a", 1, 2), ended("b", 1, 2)]))

    assert (run.ok, run.not_ok, run.exit_code, run.problem) == (2, 0, 0, None)


def test_a_run_with_a_host_that_was_not_ok_says_how_many_and_what_was_first() -> None:
    run = measure(
        events(
            [
                ended("a", 1, 2),
                ended("b", 1, 2, Outcome.UNREACHABLE),
                ended("c", 1, 2, Outcome.FAILED),
            ]
        )
    )

    assert (run.ok, run.not_ok, run.exit_code) == (1, 2, 4)
    assert run.problem == "b: unreachable in connect: no route"


def test_a_span_says_who_worked_on_the_host_and_where_its_time_went() -> None:
    result = dataclasses.replace(
        ended("a", 10, 12),
        process=17,
        thread="fleetrun-3",
        phase_seconds={Phase.KEX: 0.5, Phase.CONNECT: 0.25, Phase.RUN: 1.25},
    )

    (span,) = measure(events([result])).spans

    assert (span.host, span.process, span.thread, span.ok) == ("a", 17, "fleetrun-3", True)
    assert span.seconds == 2
    assert span.phases == (("connect", 0.25), ("kex", 0.5), ("run", 1.25))


def test_time_before_the_first_phase_is_the_start() -> None:
    result = dataclasses.replace(ended("a", 10, 12), phase_seconds={Phase.RUN: 0.5})

    (span,) = measure(events([result])).spans

    assert span.phases == ((START, 1.5), ("run", 0.5))
    assert span.at_work_s == span.begin_s + 1.5


@pytest.mark.parametrize(
    ("mode", "processes", "threads"),
    [
        (Mode.SEQUENTIAL, 1, 1),
        (Mode.THREADS, 1, 2),
        (Mode.PROCESSES, 2, 1),
        (Mode.GREENLETS, 1, 2),
    ],
    ids=str,
)
def test_lanes_are_those_that_worked(
    mode: Mode, processes: int, threads: int, tmp_path: Path
) -> None:
    at_once = processes * threads
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=at_once))

    run = measured(mode, FakeConnect(others=meeting), hosts=at_once, forks=at_once)

    assert len({span.process for span in run.spans}) == processes
    assert len({span.thread for span in run.spans}) == threads
    is_here = {span.process == os.getpid() for span in run.spans}
    assert is_here == {mode in {Mode.SEQUENTIAL, Mode.THREADS}}
