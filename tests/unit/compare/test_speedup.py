from __future__ import annotations

import pytest

from fleetrun.compare import with_speedups
from fleetrun.runs import Run


def run(mode: str, wall_seconds: float, *, not_ok: int = 0) -> Run:
    return Run(
        mode=mode,
        forks=4,
        workers=0,
        wall_seconds=wall_seconds,
        cpu_seconds=0.5,
        peak_overlap=4,
        ok=4,
        not_ok=not_ok,
        exit_code=0,
    )


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
