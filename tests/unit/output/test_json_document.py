from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from fleetrun.output import JsonDocument, Writer
from fleetrun.results import Outcome, Phase, Report, Result, not_run

FAILED = Result(
    host="web2",
    outcome=Outcome.FAILED,
    phase=Phase.RUN,
    exit_status=3,
    stdout=b"out\n",
    stderr="naïve\x1b\u202e".encode(),
    stdout_bytes=4,
    stderr_bytes=100,
    error="exit status 3",
    phase_seconds={Phase.CONNECT: 0.25, Phase.RUN: 0.5},
    seconds=0.75,
    attempts=1,
    files=("a", "b"),
)


def document(*results: Result, wall_seconds: float = 1.5) -> dict[str, Any]:
    out = io.BytesIO()
    sink = JsonDocument(Writer(file=out))
    sink.close(Report(results=results, wall_seconds=wall_seconds))
    parsed: dict[str, Any] = json.loads(out.getvalue())
    return parsed


def test_a_result_has_every_field_that_is_promised() -> None:
    assert document(FAILED)["results"] == [
        {
            "host": "web2",
            "outcome": "failed",
            "phase": "run",
            "exit_status": 3,
            "signal": None,
            "stdout": "out\n",
            "stderr": "naïve\x1b\u202e",
            "truncated": True,
            "may_still_run": False,
            "error": "exit status 3",
            "seconds": 0.75,
            "attempts": 1,
            "phase_seconds": {"connect": 0.25, "run": 0.5},
            "stdout_bytes": 4,
            "stderr_bytes": 100,
            "files": ["a", "b"],
            "killed": None,
        }
    ]


def test_the_summary_counts_every_outcome() -> None:
    assert document(FAILED, not_run("web3", "cancelled"))["summary"] == {
        "ok": 0,
        "failed": 1,
        "timeout": 0,
        "unreachable": 0,
        "lost": 0,
        "not_run": 1,
        "wall_seconds": 1.5,
    }


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_bytes_that_are_no_text_come_as_base64_in_place_of_text(name: str) -> None:
    data = bytes(range(256))

    (shown,) = document(Result(host="web1", outcome=Outcome.OK, stdout=data, stderr=data))[
        "results"
    ]

    assert base64.b64decode(shown[f"{name}_base64"]) == data
    assert name not in shown


def test_results_keep_the_order_of_the_report() -> None:
    results = [not_run(f"web{number}", "cancelled") for number in (3, 1, 2)]

    assert [each["host"] for each in document(*results)["results"]] == ["web3", "web1", "web2"]


def test_no_results_are_a_document_too() -> None:
    assert document()["results"] == []


def test_the_document_is_safe_on_a_terminal() -> None:
    out = io.BytesIO()

    JsonDocument(Writer(file=out, is_terminal=True)).close(Report(results=(FAILED,)))

    assert out.getvalue().isascii()
    assert b"\x1b" not in out.getvalue()
