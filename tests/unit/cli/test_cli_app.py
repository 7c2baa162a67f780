from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from command_line import CommandLine

from fleetrun import __version__
from fleetrun.cli.app import LazyGroup, app
from fleetrun.errors import DependencyError, FleetrunError, InventoryError, UsageError

FULL = Path("/dev/full")


def test_help_shows_an_example_of_every_command(fleetrun: CommandLine) -> None:
    ran = fleetrun("--help")

    assert ran.code == 0
    for entry in LazyGroup.table.values():
        assert f"\n  {entry.example}\n" in ran.out


@pytest.mark.parametrize("name", LazyGroup.table)
def test_every_command_of_the_table_is_there_and_has_help(name: str, fleetrun: CommandLine) -> None:
    command = importlib.import_module(f"fleetrun.cli.{name}").command

    assert command.name == name
    assert fleetrun(name, "--help").code == 0


def test_every_option_says_what_it_is_for() -> None:
    context = click.Context(app)
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert [each.name for each in options if not each.help] == []


def test_the_version_is_told(fleetrun: CommandLine) -> None:
    assert fleetrun("--version").out == f"fleetrun, version {__version__}\n"


def test_no_command_is_a_mistake_that_is_answered_with_help(fleetrun: CommandLine) -> None:
    ran = fleetrun()

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: fleetrun ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["exce", "uptime"],
        ["exec"],
        ["exec", "-i", "h1,", "uptime", "--mode", "magic"],
        ["exec", "-i", "h1,", "uptime", "-f", "0"],
        ["exec", "-i", "h1,", "uptime", "-f", "many"],
        ["exec", "-i", "h1,", "uptime", "-T", "soon"],
        ["exec", "-i", "h1,", "uptime", "--port", "65536"],
        ["exec", "-i", "h1,", "uptime", "--private-key", "missing"],
        ["exec", "-i", "h1,", "uptime", "--host-keys", "maybe"],
        ["exec", "-i", "h1,", "uptime", "--debug-log", "missing/log"],
        ["exec", "-i", "h1,", "uptime", "-u", "a b"],
        ["exec", "-i", "missing.yaml", "uptime"],
        ["exec", "-i", "h1,", "  "],
        ["exec", "uptime"],
        ["completion", "tcsh"],
        ["lab"],
        ["lab", "down"],
        ["--nonsense"],
    ],
    ids=" ".join,
)
def test_a_mistake_in_the_call_is_one_sentence_and_exit_code_2(
    arguments: list[str], fleetrun: CommandLine
) -> None:
    ran = fleetrun(*arguments)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("fleetrun: error: ")
    assert ran.err.count("\n") == 1


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `fleetrun hosts` raise."""

    def make(error: BaseException) -> None:
        def load(*_args: object, **_options: object) -> None:
            raise error

        monkeypatch.setattr("fleetrun.inventory.Inventory.load", load)

    return make


@pytest.mark.parametrize(
    ("error", "sentence", "code"),
    [
        (UsageError("no"), "no", 2),
        (InventoryError("no", source="h.yaml", line=3), "h.yaml:3: no", 2),
        (DependencyError("install it"), "install it", 2),
        (FleetrunError("broken"), "broken", 1),
        (PermissionError(13, "Permission denied", "h.yaml"), "h.yaml: Permission denied", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_of_ours_is_one_sentence(
    error: Exception,
    sentence: str,
    code: int,
    raising: Callable[[BaseException], None],
    fleetrun: CommandLine,
) -> None:
    raising(error)

    ran = fleetrun("hosts", "-i", "h1,")

    assert (ran.code, ran.err) == (code, f"fleetrun: error: {sentence}\n")


def test_a_sentence_cannot_steer_the_terminal(
    raising: Callable[[BaseException], None], fleetrun: CommandLine
) -> None:
    raising(UsageError("host \x1b[2J"))

    assert fleetrun("hosts", "-i", "h1,").err == "fleetrun: error: host \\x1b[2J\n"


def test_a_bug_keeps_its_traceback(
    raising: Callable[[BaseException], None], fleetrun: CommandLine
) -> None:
    raising(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        fleetrun("hosts", "-i", "h1,")


def test_a_signal_before_anything_runs_ends_the_process_with_its_code(
    fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_args: object, **_options: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("fleetrun.inventory.Inventory.load", load)

    ran = fleetrun("hosts", "-i", "h1,")

    assert ran.code == 143
    assert ran.err.endswith("fleetrun: stopped\n")


@pytest.mark.skipif(not FULL.exists(), reason=f"{FULL} is there on Linux alone")
@pytest.mark.parametrize("arguments", ["hosts -i h1,", "--help", "completion fish"])
def test_a_full_disk_is_one_sentence_and_no_complaint_at_exit(arguments: str) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fleetrun", *arguments.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert done.stderr == b"fleetrun: error: No space left on device\n"
    assert done.returncode == 1
