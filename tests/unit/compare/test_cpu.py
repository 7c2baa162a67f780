from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from burning import burn

from fleetrun.compare.cpu import CpuClock

BURNT_S = 0.1
ROUNDING_S = 0.001
"""getrusage(2) counts in microseconds, and rounds user and system time each for itself."""

BURN_AND_STAY = f"from burning import burn; burn({BURNT_S}); print('burnt', flush=True); input()"


def seconds(clock: CpuClock) -> float:
    used = clock.seconds
    assert used is not None
    return used


def test_what_this_process_used_is_counted_from_the_start_of_the_clock() -> None:
    burn(BURNT_S)
    clock = CpuClock()
    before = seconds(clock)

    burn(BURNT_S)

    assert before < BURNT_S
    assert seconds(clock) >= BURNT_S - ROUNDING_S


def test_a_child_counts_only_when_it_was_waited_for() -> None:
    clock = CpuClock()
    child = subprocess.Popen(
        [sys.executable, "-c", BURN_AND_STAY],
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"burnt\n"
        while_it_ran = seconds(clock)
        child.communicate(b"\n")

    assert seconds(clock) - while_it_ran >= BURNT_S - ROUNDING_S


def test_where_the_system_does_not_tell_nothing_is_made_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)

    assert CpuClock().seconds is None
