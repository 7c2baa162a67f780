from __future__ import annotations

import pytest
from made_runs import made_run

from fleetrun.compare import with_speedups
from fleetrun.runs import Run


def run(mode: str, wall_seconds: float, *, not_ok: int = 0) -> Run:
    return made_run(mode, [wall_seconds], not_ok=not_ok)


@pytest.mark.parametrize(
    ("runs", "speedups"),
    [
        pytest.param([run("sequential", 8), run("threads", 2)], [1, 4], id="sequential first"),
        pytest.param([run("threads", 2), run("sequential", 8)], [4, 1], id="sequential last"),
        pytest.param([run("sequential", 2), run("processes", 8)], [1, 0.25], id="slower"),
        pytest.param([run("threads", 2), run("processes", 4)], [None, None], id="no sequential"),
        pytest.param(
            [run("sequential", 8, not_ok=1), run("threads", 2)],
            [None, None],
            id="sequential not comparable",
        ),
        pytest.param(
            [run("sequential", 8), run("threads", 2, not_ok=1), run("processes", 4)],
            [1, None, 2],
            id="another not comparable",
        ),
        pytest.param([], [], id="nothing"),
    ],
)
def test_a_speedup_is_over_a_sequential_run_that_did_the_same_work_or_unknown(
    runs: list[Run], speedups: list[float | None]
) -> None:
    compared = with_speedups(runs)

    assert [each.speedup for each in compared] == speedups
    assert [each.mode for each in compared] == [each.mode for each in runs]


def test_a_speedup_is_between_medians() -> None:
    sequential = made_run("sequential", [7, 8, 90])
    threads = made_run("threads", [1, 2, 30])

    assert [each.speedup for each in with_speedups([sequential, threads])] == [1, 4]
