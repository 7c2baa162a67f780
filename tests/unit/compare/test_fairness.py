from __future__ import annotations

import dataclasses

import pytest
from made_runs import IDLE, made_run

from fleetrun.compare import flaws
from fleetrun.compare.fairness import is_draw
from fleetrun.runs import Run

SEQUENTIAL = made_run("sequential", [8.3, 8.2], forks=1)
THREADS = made_run("threads", [0.5, 0.6])


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        pytest.param(
            [SEQUENTIAL, made_run("threads", [0.5, 0.6], not_ok=2)],
            "threads is not comparable: 2 of 16 hosts not ok, "
            "first h0: failed in run: exit status 1",
            id="hosts were not ok",
        ),
        pytest.param(
            [SEQUENTIAL, made_run("hybrid", [0.5, 0.6], forks=6, workers=2, wanted=7)],
            "hybrid had 6 hosts at once where 7 were asked for: 2 workers share them evenly",
            id="another width",
        ),
        pytest.param(
            [SEQUENTIAL, made_run("threads", [0.5, 0.6], forks=4, note="too few descriptors")],
            "threads is narrower than was asked for: too few descriptors",
            id="a smaller plan",
        ),
        pytest.param(
            [made_run("sequential", [8.3], forks=1), made_run("threads", [0.5])],
            "one round of each tells nothing of how much it varies: use --repeat 3 or more",
            id="one round",
        ),
        pytest.param(
            [SEQUENTIAL, made_run("threads", [0.5, 0.6, 0.5])],
            "not every mode had as many rounds: the comparison was stopped",
            id="stopped",
        ),
    ],
)
def test_what_is_unfair_is_said(runs: list[Run], sentence: str) -> None:
    assert flaws(runs, IDLE) == (sentence,)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([SEQUENTIAL, THREADS], id="two modes, two rounds"),
        pytest.param([made_run("threads", [0.5])], id="one mode is compared with nothing"),
        pytest.param(
            [made_run("hybrid", [1, 1], forks=6, hosts=5, wanted=5)], id="more than hosts"
        ),
    ],
)
def test_what_is_fair_is_let_be(runs: list[Run]) -> None:
    assert flaws(runs, IDLE) == ()


@pytest.mark.parametrize(
    ("load", "flawed"), [(1.9, False), (2.0, False), (2.1, True), (None, False)]
)
def test_a_machine_with_more_to_do_than_cores_is_unfair(load: float | None, flawed: bool) -> None:  # noqa: FBT001 (a row of the table)
    found = flaws([SEQUENTIAL, THREADS], dataclasses.replace(IDLE, load=load))

    assert [sentence.startswith("the machine was busy") for sentence in found] == [True] * flawed


@pytest.mark.parametrize(
    ("walls", "others", "draw"),
    [
        ([1.0, 2.0], [1.5, 3.0], True),
        ([1.0, 2.0], [2.0, 3.0], True),
        ([1.0, 2.0], [2.1, 3.0], False),
        ([1.0, 4.0], [2.0, 3.0], True),
    ],
    ids=["overlap", "touch", "apart", "within"],
)
def test_two_runs_whose_rounds_overlap_are_a_draw(
    walls: list[float],
    others: list[float],
    draw: bool,  # noqa: FBT001 (a row of the table)
) -> None:
    one, other = made_run("threads", walls), made_run("greenlets", others)

    assert (is_draw(one, other), is_draw(other, one)) == (draw, draw)
