from __future__ import annotations

import signal
from pathlib import Path
from typing import Self

import pytest
from command_line import CommandLine

from fleetrun.errors import DependencyError


class FakeLab:
    """Stands in for the servers: notes when it is left, is interrupted when it is waited for."""

    made: tuple[int, float]
    left = 0

    def __init__(self, hosts: int, rtt_s: float = 0.0) -> None:
        FakeLab.made = (hosts, rtt_s)
        self.inventory = Path("lab hosts.yaml")

    def __enter__(self) -> Self:
        self.inventory.write_text("all: {hosts: {lab1: {}, lab2: {}}}\n")
        return self

    def __exit__(self, *exc: object) -> None:
        FakeLab.left += 1

    def wait(self) -> None:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("Ctrl-C was overlooked")


@pytest.fixture(autouse=True)
def _fake_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLab, "left", 0)
    monkeypatch.setattr("fleetrun.lab.Lab", FakeLab)
    monkeypatch.setattr("fleetrun.cli.lab.Lab", FakeLab)


def test_a_lab_says_how_to_reach_it_and_goes_away_with_ctrl_c(fleetrun: CommandLine) -> None:
    ran = fleetrun("lab", "up", "--hosts", "3", "--rtt", "50ms")

    assert FakeLab.made == (3, 0.05)
    assert ran.out == "'lab hosts.yaml'\n"
    assert """fleetrun exec -i 'lab hosts.yaml' "uptime" --mode threads""" in ran.err
    assert FakeLab.left == 1
    assert ran.code == 0


def test_a_lab_for_one_command_goes_away_with_it(fleetrun: CommandLine) -> None:
    ran = fleetrun("exec", "--lab", "2", "--rtt", "0", "uptime")

    assert FakeLab.made == (2, 0.0)
    assert "2 hosts: 2 ok" in ran.err
    assert FakeLab.left == 1


def test_a_lab_comes_before_an_inventory_of_the_environment(
    fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETRUN_INVENTORY", "h1,")

    assert fleetrun("hosts", "--lab", "2").out == "lab1\nlab2\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lab", "2", "-i", "h1,"], "either --lab or -i"),
        (["--rtt", "50ms", "-i", "h1,"], "--rtt is the round trip"),
        (["--lab", "0"], "0 is not in the range"),
    ],
    ids=["two inventories", "rtt to nothing", "empty lab"],
)
def test_a_lab_that_makes_no_sense_is_not_started(
    arguments: list[str], message: str, fleetrun: CommandLine
) -> None:
    ran = fleetrun("exec", "uptime", *arguments)

    assert ran.code == 2
    assert message in ran.err
    assert FakeLab.left == 0


def test_what_a_lab_needs_and_has_not_is_one_sentence(
    fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(_lab: FakeLab) -> FakeLab:
        raise DependencyError("the lab needs asyncssh: pip install 'fleetrun[lab]'")

    monkeypatch.setattr(FakeLab, "__enter__", enter)

    ran = fleetrun("lab", "up")

    assert ran.err == "fleetrun: error: the lab needs asyncssh: pip install 'fleetrun[lab]'\n"
    assert ran.code == 2
