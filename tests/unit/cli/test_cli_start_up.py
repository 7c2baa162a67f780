"""What the command line imports before it knows that it needs it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SLOW = {"paramiko", "gevent", "rich", "asyncssh", "yaml", "asyncio", "cryptography", "matplotlib"}


def imported_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fleetrun", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("exec", "--help"),
        ("completion", "fish"),
        ("compare", "calls", "--help"),
        ("compare", "io", "--help"),
        ("compare", "spawn", "--help"),
        ("compare", "multiprogramming", "--help"),
    ],
    ids=" ".join,
)
def test_nothing_slow_is_imported_before_it_is_needed(arguments: tuple[str, ...]) -> None:
    imported = imported_by(*arguments)

    assert "click" in imported  # that is, the list was read
    assert not imported & SLOW


def test_help_imports_no_command() -> None:
    commands = {f"fleetrun.cli.{name}" for name in ("exec", "put", "get", "hosts", "lab")}

    assert not imported_by("--help") & commands


def test_a_worker_that_finds_main_imports_no_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, fleetrun.cli; print('click' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"
