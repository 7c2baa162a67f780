from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import pytest
from made_runs import IDLE, PEAKS, compared, made_run

from fleetrun.output import Writer
from fleetrun.output.compare_json import write_compare_json
from fleetrun.runs import Compared

THREADS = made_run(
    "threads",
    [0.55, 0.5400004, 0.56],
    hosts=2,
    forks=2,
    cpu_s=0.0612349,
    speedup=1.8200001,
    peaks=PEAKS,
    not_ok=1,
)
UNKNOWN = made_run("processes", [2.5], forks=4, workers=4, cpu_s=None)


def written(what: Compared) -> dict[str, Any]:
    out = io.BytesIO()
    write_compare_json(what, Writer(file=out))
    document: dict[str, Any] = json.loads(out.getvalue().decode("ascii"))
    return document


def test_every_field_of_a_run_keeps_its_name() -> None:
    (run,) = written(compared(THREADS))["runs"]
    rounds, timeline = run.pop("rounds"), run.pop("timeline")

    assert run == {
        "mode": "threads",
        "forks": 2,
        "workers": 0,
        "wall_seconds": 0.55,
        "wall_seconds_min": 0.54,
        "wall_seconds_max": 0.56,
        "cpu_seconds": 0.061235,
        "user_seconds": 0.061235,
        "system_seconds": 0.0,
        "voluntary_switches": 500,
        "involuntary_switches": 7,
        "cores_busy": 0.111336,
        "speedup": 1.82,
        "efficiency": 0.91,
        "peak_overlap": 2,
        "mean_overlap": 1.818182,
        "start_seconds": 0.0,
        "peak_threads": 17,
        "peak_processes": 1,
        "peak_descriptors": 27,
        "peak_memory_bytes": 36_400_000,
        "latency_seconds": {"p50": 0.5, "p95": 0.5, "p99": 0.5},
        "phase_seconds": {"run": 0.5},
        "ok": 1,
        "not_ok": 1,
        "exit_code": 1,
        "problem": "h0: failed in run: exit status 1",
    }
    assert [each["wall_seconds"] for each in rounds] == [0.55, 0.54, 0.56]
    assert timeline[1] == {
        "host": "h1",
        "process": 100,
        "thread": "fleetrun-2",
        "begin_seconds": 0.0,
        "seconds": 0.5,
        "phase_seconds": {"run": 0.5},
        "ok": True,
    }


def test_what_is_not_known_is_null() -> None:
    (run,) = written(compared(UNKNOWN))["runs"]

    assert {name for name, value in run.items() if value is None} == {
        "cpu_seconds",
        "user_seconds",
        "system_seconds",
        "voluntary_switches",
        "involuntary_switches",
        "cores_busy",
        "speedup",
        "efficiency",
        "peak_threads",
        "peak_processes",
        "peak_descriptors",
        "peak_memory_bytes",
        "problem",
    }


def test_the_document_says_what_was_done_where_and_what_follows() -> None:
    machine = dataclasses.replace(IDLE, system="Línux")
    what = compared(UNKNOWN, machine=machine, flaws=("busy",), explanation=("Fastest: …",))

    document = written(what)

    assert list(document) == ["runs", "work", "flaws", "explanation", "machine"]
    assert document["work"] == "sleep 0.2"
    assert (document["flaws"], document["explanation"]) == (["busy"], ["Fastest: …"])
    assert document["machine"] == {
        "system": "Línux",
        "cores": 2,
        "load": 0.1,
        "versions": {"CPython": "3.13.1", "paramiko": "5.1.0"},
        "command": "fleetrun compare --lab 16 'sleep 0.2'",
        "began_at": "2026-01-02T03:04:05+00:00",
    }


@pytest.mark.parametrize("runs", [(), (THREADS,), (UNKNOWN, THREADS)], ids=["0", "1", "2"])
def test_runs_keep_their_order(runs: tuple[Any, ...]) -> None:
    modes = [run["mode"] for run in written(compared(*runs))["runs"]]

    assert modes == [run.mode for run in runs]
