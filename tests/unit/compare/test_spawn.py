"""The bench of workers, and what is concluded from its figures."""

from __future__ import annotations

import multiprocessing

import pytest

from fleetrun.compare.quantities import duration, figure, listed, size
from fleetrun.compare.spawn import KINDS, measure_workers
from fleetrun.compare.spawn.explain import explain, ratios
from fleetrun.findings.spawn import WorkerCost

pytestmark = pytest.mark.long


def test_every_kind_is_made_ended_and_given_jobs() -> None:
    said: list[str] = []

    found = measure_workers(repeat=1, tell=said.append)

    assert [(cost.kind, cost.paramiko) for cost in found.costs] == [
        (kind, paramiko) for paramiko in (False, True) for kind in KINDS
    ]
    for cost in found.costs:
        if cost.kind in {"thread", "greenlet", *multiprocessing.get_all_start_methods()}:
            assert cost.problem is None
            assert cost.made == (20 if cost.kind in {"thread", "greenlet"} else 1)
            assert cost.life_seconds is not None
            assert cost.life_seconds > 0
            assert cost.round_trip_seconds is not None
        else:
            assert cost.problem == "this system has none"
    assert said[0] == "thread, empty"
    assert said[-1] == "spawn, with paramiko"


def cost(kind: str, life_s: float | None, *, paramiko: bool = False) -> WorkerCost:
    return WorkerCost(
        kind=kind,
        paramiko=paramiko,
        create_seconds=life_s,
        destroy_seconds=0.0 if life_s is not None else None,
        pss_bytes=1e6,
        round_trip_seconds=1e-5,
        problem=None if life_s is not None else "it failed",
    )


@pytest.mark.parametrize(
    ("fork_s", "spawn_s", "verdict"),
    [
        (2e-3, 9e-3, "than a process holds for fork and spawn."),
        (2e-3, 5e-2, "than a process holds for fork; for spawn it is more than 100 times."),
        (5e-4, 2e-3, "than a process holds for spawn; for fork less than 10 times."),
        (2e-1, 5e-1, "does not hold: for fork and spawn it is more than 100 times."),
    ],
    ids=["holds", "spawn is dearer", "fork is cheaper", "does not hold"],
)
def test_the_old_rule_is_judged_by_the_figures(fork_s: float, spawn_s: float, verdict: str) -> None:
    costs = [cost("thread", 1e-4), cost("fork", fork_s), cost("spawn", spawn_s)]

    assert verdict in explain(costs)


def test_what_has_no_figures_is_left_out_of_the_sentences() -> None:
    costs = [cost("thread", 1e-4), cost("fork", None), cost("spawn", 2e-3)]

    assert ratios(costs, paramiko=False) == {"spawn": pytest.approx(20)}
    assert ratios(costs, paramiko=True) == {}
    assert "fork" not in explain([each for each in costs if each.kind != "fork"])


def test_quantities_read_as_people_write_them() -> None:
    assert [duration(s) for s in (2.14, 0.0352, 7.3e-6)] == ["2.1 s", "35 ms", "7.3 µs"]
    assert [size(n) for n in (1_900_000, 17_000)] == ["1.9 MB", "17 kB"]
    assert [figure(n) for n in (1234.4, 46.3, 1.84)] == ["1,234", "46", "1.8"]
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
