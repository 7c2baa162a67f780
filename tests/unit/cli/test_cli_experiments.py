"""`fleetrun compare`'s first word, and the experiments as their user calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command_line import CommandLine

from fleetrun.cli.compare import command
from fleetrun.cli.compare_io import sizes

pytestmark = pytest.mark.long

EXPERIMENTS = ["calls", "io", "spawn", "multiprogramming"]
QUICK = ["--tasks", "1", "--rounds", "1", "--wait", "1ms", "--compute", "1ms", "--repeat", "1"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_first_word_that_names_an_experiment_is_one(fleetrun: CommandLine, name: str) -> None:
    ran = fleetrun("compare", name, "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"Usage: fleetrun compare {name} [OPTIONS]")
    assert "--figure FILE.svg" in ran.out


def test_the_help_shows_the_comparison_and_the_experiments(fleetrun: CommandLine) -> None:
    out = fleetrun("compare", "--help").out

    assert out.startswith("Usage: fleetrun compare [OPTIONS] [COMMAND...]")
    assert "--modes" in out
    section = out.split("Experiments, in the place of COMMAND:")[1]
    assert [name for name in EXPERIMENTS if f"\n  {name} " in section] == EXPERIMENTS


def test_the_comparison_knows_its_experiments_as_a_group_does() -> None:
    context = command.make_context("compare", ["uptime"])

    assert command.list_commands(context) == EXPERIMENTS
    assert command.get_command(context, "uptime") is None


@pytest.mark.parametrize(
    "words",
    [["--", "spawn"], ["spawn now"], ["-f", "1", "--", "io"], ["uptime", "spawn"]],
    ids=" ".join,
)
def test_a_remote_command_that_is_named_like_one_is_still_to_be_had(
    fleetrun: CommandLine, words: list[str]
) -> None:
    ran = fleetrun("compare", "-i", "h1,", "--modes", "threads", "--format", "json", *words)

    assert ran.code == 0
    assert [run["mode"] for run in json.loads(ran.out)["runs"]] == ["threads"]


def test_an_experiment_that_does_not_come_first_is_not_run_on_the_hosts(
    fleetrun: CommandLine,
) -> None:
    ran = fleetrun("compare", "-i", "h1,", "spawn")

    assert (ran.code, ran.out) == (2, "")
    assert "spawn is an experiment, and comes first: fleetrun compare spawn" in ran.err
    assert "goes after --" in ran.err


@pytest.mark.usefixtures("open_fonts")
def test_an_experiment_is_one_command(fleetrun: CommandLine, tmp_path: Path) -> None:
    figure = tmp_path / "tasks.svg"

    ran = fleetrun("compare", "multiprogramming", *QUICK, "--steps", "5", "--figure", str(figure))

    assert ran.code == 0
    assert ran.out.startswith("tasks as ")
    assert figure.read_text().startswith("<?xml")
    assert ran.err.startswith("fleetrun: one by one on ")


def test_calls_are_made_on_the_hosts_that_are_given(fleetrun: CommandLine) -> None:
    ran = fleetrun(
        "compare", "calls", "-i", "h1,h2,", "uptime", "--modes", "threads", "--format", "json"
    )

    document = json.loads(ran.out)
    assert (document["hosts"], document["command"], document["forks"]) == (2, "uptime", 64)
    assert {run["ok"] for run in document["runs"]} == {2}
    assert ran.code == 0


def test_the_words_of_a_command_stand_together(fleetrun: CommandLine) -> None:
    ran = fleetrun("compare", "calls", "-i", "h1,", "ls", "-la")

    assert ran.code == 2
    assert "quote the command, or put -- before it" in ran.err


def test_without_matplotlib_a_figure_is_refused_before_anything_is_measured(
    fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    ran = fleetrun("compare", "spawn", "--figure", "a.svg")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "fleetrun: error: a figure needs matplotlib: pip install 'fleetrun[report]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["spawn", "--figure", "a.png"], id="a figure that is not SVG"),
        pytest.param(["spawn", "--repeat", "0"], id="no repeat"),
        pytest.param(["io", "--streams", "ten"], id="no number"),
        pytest.param(["io", "--streams", "0,10"], id="no streams"),
        pytest.param(["io", "--streams", "1000000"], id="too many streams"),
        pytest.param(["calls", "-i", "h1,", "-l", "h2"], id="no such host"),
        pytest.param(["multiprogramming", "--tasks", "0"], id="no tasks"),
    ],
)
def test_what_cannot_be_tried_is_a_mistake_in_the_call(
    fleetrun: CommandLine, arguments: list[str]
) -> None:
    ran = fleetrun("compare", *arguments)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("fleetrun: error: ")


def test_sizes_are_ascending_and_each_is_there_once() -> None:
    assert sizes("100,10,100") == (10, 100)
