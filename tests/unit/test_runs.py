from __future__ import annotations

import dataclasses
import pickle

import pytest
from made_runs import made_run, span

from fleetrun.runs import START, Usage, name_among, percentile


def test_a_figure_is_the_median_of_the_rounds_and_its_spread_their_ends() -> None:
    run = made_run("threads", [0.7, 0.5, 0.6])

    assert (run.wall_seconds, run.wall_spread) == (0.6, (0.5, 0.7))


def test_usage_is_the_median_of_each_figure_and_unknown_when_one_round_does_not_know() -> None:
    run = made_run("threads", [1.0, 1.0, 1.0])
    usages = [
        Usage(user_seconds=1, system_seconds=6, voluntary_switches=9, involuntary_switches=1),
        Usage(user_seconds=2, system_seconds=5, voluntary_switches=8, involuntary_switches=2),
        Usage(user_seconds=3, system_seconds=4, voluntary_switches=7, involuntary_switches=3),
    ]
    rounds = [
        dataclasses.replace(each, usage=usage)
        for each, usage in zip(run.rounds, usages, strict=True)
    ]
    known = dataclasses.replace(run, rounds=tuple(rounds))
    unknown = dataclasses.replace(run, rounds=(*rounds, dataclasses.replace(rounds[0], usage=None)))

    assert known.usage == usages[1]
    assert (known.cpu_seconds, known.cores_busy) == (7, 7)
    assert (unknown.usage, unknown.cpu_seconds, unknown.cores_busy) == (None, None, None)


def test_efficiency_is_the_speed_up_for_each_host_at_once_that_there_can_be() -> None:
    assert made_run("threads", [1.0], forks=8, speedup=4.0).efficiency == 0.5
    assert made_run("hybrid", [1.0], forks=8, hosts=5, speedup=5.0).efficiency == 1.0
    assert made_run("threads", [1.0]).efficiency is None


def test_the_worst_round_says_how_many_hosts_were_ok() -> None:
    good, bad = made_run("threads", [1.0]), made_run("threads", [1.0], not_ok=2)
    run = dataclasses.replace(good, rounds=(*good.rounds, *bad.rounds))

    assert (run.ok, run.not_ok, run.comparable, run.exit_code) == (14, 2, False, 1)
    assert run.problem == "h0: failed in run: exit status 1"


def test_the_typical_round_is_nearest_to_the_median() -> None:
    run = made_run("threads", [0.9, 0.5, 0.6, 0.1])

    assert run.typical.wall_seconds in {0.5, 0.6}


def test_the_start_is_that_of_the_processes_until_they_are_at_work() -> None:
    run = made_run("processes", [2.0], forks=2, hosts=4, workers=2)
    spans = (
        span("a", 0.5, 1.0, process=1, phases=((START, 0.25), ("run", 0.75))),
        span("b", 0.75, 1.0, process=2, phases=((START, 0.5), ("run", 0.5))),
        span("c", 1.5, 1.0, process=1),
    )
    each = dataclasses.replace(run.rounds[0], spans=spans)

    assert each.start_seconds == (0.75 + 1.25) / 2
    assert dataclasses.replace(each, spans=()).start_seconds is None


def test_phases_are_the_mean_of_all_hosts() -> None:
    run = made_run("threads", [1.0], hosts=2)
    spans = (
        span("a", 0.0, 1.0, phases=(("kex", 0.25), ("run", 0.75))),
        span("b", 0.0, 0.5, phases=(("run", 0.5),)),
    )
    run = dataclasses.replace(run, rounds=(dataclasses.replace(run.rounds[0], spans=spans),))

    assert run.phase_seconds == {"kex": 0.125, "run": 0.625}
    assert run.latencies == (0.5, 1.0)


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 5), (0.51, 6), (0.95, 10), (0.9, 9), (1.0, 10), (0.01, 1)]
)
def test_a_percentile_is_a_value_that_occurred(share: float, value: int) -> None:
    assert percentile(range(1, 11), share) == value
    assert percentile((), share) is None


def test_a_run_is_called_by_its_width_only_where_that_is_needed() -> None:
    narrow, wide = made_run("threads", [1.0], forks=2), made_run("threads", [1.0], forks=8)
    hybrid = made_run("hybrid", [1.0])

    names = [name_among(run, [narrow, wide, hybrid]) for run in (narrow, wide, hybrid)]

    assert names == ["threads/2", "threads/8", "hybrid"]


def test_a_run_can_be_pickled() -> None:
    run = made_run("threads", [1.0, 2.0])

    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301 (just made)
