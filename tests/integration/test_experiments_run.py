"""The experiments that need hosts, as their user calls them, on the practice fleet."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from fleetrun.compare.reading.models import MODELS
from fleetrun.compare.reading.schedule import PIECE, PIECES

pytestmark = pytest.mark.long

PATIENCE_S = 100.0


def experiment(*arguments: str) -> tuple[Any, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "fleetrun", "compare", *arguments, "--format", "json"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(ran.stdout), ran.stderr


def test_every_model_reads_the_whole_output_of_real_sessions() -> None:
    document, _ = experiment("io", "--lab", "2", "--streams", "1")

    sessions = [run for run in document["runs"] if run["source"] == "sessions"]
    assert [run["model"] for run in sessions] == [*MODELS, "gevent"]
    for run in sessions[:-1]:
        assert run["problem"] is None
        assert run["bytes_read"] == 2 * PIECES * len(PIECE)
    assert sessions[-1]["problem"] is not None


def test_without_hosts_there_are_practice_hosts_that_take_their_time() -> None:
    document, said = experiment("calls", "--modes", "threads", "--rtt", "1ms")

    assert said.startswith("fleetrun: no hosts were given: 8 practice hosts on this machine\n")
    assert document["hosts"] == 8
    assert {run["ok"] for run in document["runs"]} == {8}
    overlaps = {run["style"]: run["peak_overlap"] for run in document["runs"]}
    assert overlaps.pop("one by one") == 1
    assert min(overlaps.values()) > 1
