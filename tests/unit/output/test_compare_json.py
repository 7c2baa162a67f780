from __future__ import annotations

import io
import json

import pytest

from fleetrun.output import Writer
from fleetrun.output.compare_json import write_compare_json
from fleetrun.runs import Run

THREADS = Run(
    mode="threads",
    forks=16,
    workers=0,
    wall_seconds=0.5500004,
    cpu_seconds=0.0612349,
    speedup=15.2000001,
    peak_overlap=16,
    ok=15,
    not_ok=1,
    exit_code=4,
    problem="wéb3: unreachable in connect: no route",
)
UNKNOWN = Run(
    mode="processes",
    forks=4,
    workers=4,
    wall_seconds=2.5,
    cpu_seconds=None,
    speedup=None,
    peak_overlap=4,
    ok=16,
    not_ok=0,
    exit_code=0,
)


def written(*runs: Run) -> str:
    out = io.BytesIO()
    write_compare_json(runs, Writer(file=out))
    return out.getvalue().decode("ascii")


def test_every_field_of_a_run_keeps_its_name() -> None:
    assert json.loads(written(THREADS)) == {
        "runs": [
            {
                "mode": "threads",
                "forks": 16,
                "workers": 0,
                "wall_seconds": 0.55,
                "cpu_seconds": 0.061235,
                "speedup": 15.2,
                "peak_overlap": 16,
                "ok": 15,
                "not_ok": 1,
                "exit_code": 4,
                "problem": "wéb3: unreachable in connect: no route",
            }
        ]
    }


def test_what_is_not_known_is_null() -> None:
    (run,) = json.loads(written(UNKNOWN))["runs"]

    assert {name for name, value in run.items() if value is None} == {
        "cpu_seconds",
        "speedup",
        "problem",
    }


@pytest.mark.parametrize("runs", [(), (THREADS,), (UNKNOWN, THREADS)], ids=["0", "1", "2"])
def test_runs_keep_their_order(runs: tuple[Run, ...]) -> None:
    modes = [run["mode"] for run in json.loads(written(*runs))["runs"]]

    assert modes == [run.mode for run in runs]
