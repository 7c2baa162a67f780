from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
from command_line import CommandLine

from fleetrun.cli import main
from fleetrun.operations import Exec
from fleetrun.results import Phase
from fleetrun.testing import FakeHost

FULL = Path("/dev/full")


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[Exec]:
    """What the command line would have performed."""
    performed: list[Exec] = []

    def perform(
        _fleet: object,
        operation: Exec,
        _output: object,
        _stop: object,
        _waves: object,
        *,
        max_rc: bool,
    ) -> int:
        assert not max_rc
        performed.append(operation)
        return 0

    monkeypatch.setattr("fleetrun.cli.exec.perform", perform)
    return performed


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["-i", "h1,", "uptime", "--mode", "threads"], "uptime"),
        (["uptime", "-i", "h1,", "--mode=threads"], "uptime"),
        (["uptime", "-vi", "h1,"], None),
        (["-vi", "h1,", "uptime"], "uptime"),
        (["-i", "h1,", "echo", "a  b", "$HOME"], "echo a  b $HOME"),
        (["-i", "h1,", "ls -l"], "ls -l"),
        (["-i", "h1,", "--", "ls", "-l"], "ls -l"),
        (["-i", "h1,", "ls", "--", "-l"], "ls -l"),
        (["-i", "h1,", "--", "--", "x"], "-- x"),
        (["-i", "h1,", "git", "log", "-q"], "git log"),
        (["-i", "h1,", "-l", "h1", "h1", "-N"], "h1"),
        (["-i", "h1,", "grep", "-v", "foo", "log"], None),
        (["-i", "h1,", "sed", "-i", "s/a/b/", "file"], None),
        (["-i", "h1,", "ls", "-la"], None),
        (["-i", "h1,", "ls", "-l"], None),
        (["-i", "h1,", "ls", "-a"], None),
        (["-i", "h1,", "ls", "--all"], None),
        (["-i", "h1,", "ls", "--quiet=1"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_options_stand_around_the_command_and_never_among_its_words(
    arguments: list[str], command: str | None, operations: list[Exec], fleetrun: CommandLine
) -> None:
    ran = fleetrun("exec", *arguments)

    assert [operation.command for operation in operations] == ([command] if command else [])
    if command is None:
        assert ran.code == 2
        assert ran.err.startswith("fleetrun: error: ")
        assert "quote the command, or put -- before it" in ran.err


def test_output_is_live_in_lines_and_kept_for_a_document(
    operations: list[Exec], fleetrun: CommandLine
) -> None:
    fleetrun("exec", "-i", "h1,", "uptime")
    fleetrun("exec", "-i", "h1,", "uptime", "--format", "json")

    assert [(each.live, each.output_limit_bytes > 0) for each in operations] == [
        (True, False),
        (False, True),
    ]


def test_results_go_to_standard_output_and_the_rest_to_standard_error(
    fleetrun: CommandLine,
) -> None:
    fleetrun.meets({"h1": FakeHost(stdout=b"up\n", stderr=b"hm\n")})

    ran = fleetrun("exec", "-i", "h1,", "uptime")

    assert ran.out == "h1: up\n"
    assert ran.err.startswith("h1: hm\n1 host: 1 ok in ")
    assert ran.code == 0


@pytest.mark.parametrize(
    ("mode", "how"),
    [
        ("sequential", "1 thread in this process"),
        ("threads", "2 threads in this process"),
        ("processes", "1 thread in each of 2 worker processes"),
    ],
)
def test_every_mode_does_the_same_and_says_how(mode: str, how: str, fleetrun: CommandLine) -> None:
    fleetrun.meets({"h1": FakeHost(stdout=b"one\n"), "h2": FakeHost(exit_status=3)})

    ran = fleetrun("exec", "-i", "h1,h2,", "uptime", "--mode", mode, "-v")

    assert ran.out == "h1: one\n"
    assert ran.err.startswith(f"fleetrun: mode {mode}: {how}\n")
    assert "h2: failed in run: exit status 3\n2 hosts: 1 ok, 1 failed in " in ran.err
    assert ran.code == 1


@pytest.mark.parametrize(
    ("others", "code"),
    [
        pytest.param([], 0, id="ok"),
        pytest.param([FakeHost(exit_status=255)], 1, id="failed"),
        pytest.param([FakeHost(times_out_in=Phase.RUN)], 1, id="timeout"),
        pytest.param([FakeHost(fails_in=Phase.AUTH)], 4, id="unreachable"),
        pytest.param([FakeHost(fails_in=Phase.RUN)], 4, id="lost"),
        pytest.param([FakeHost(exit_status=1), FakeHost(fails_in=Phase.KEX)], 4, id="the largest"),
    ],
)
def test_the_exit_code_is_the_largest_that_a_host_leads_to(
    others: list[FakeHost], code: int, fleetrun: CommandLine
) -> None:
    hosts = {f"h{number}": host for number, host in enumerate([FakeHost(), *others])}
    fleetrun.meets(hosts)

    assert fleetrun("exec", "-i", ",".join([*hosts, ""]), "uptime").code == code


def test_a_document_keeps_the_inventorys_order(fleetrun: CommandLine, tmp_path: Path) -> None:
    fleetrun.meets({"h1": FakeHost(stdout=b"\xff", log=tmp_path / "log"), "h2": FakeHost()})

    ran = fleetrun("exec", "-i", "h2,h1,", "uptime", "--format", "json")

    results = json.loads(ran.out)["results"]
    assert [each["host"] for each in results] == ["h2", "h1"]
    assert results[1]["stdout_base64"] == "/w=="


def test_quiet_leaves_nothing_but_results(fleetrun: CommandLine) -> None:
    fleetrun.meets({"h1": FakeHost(stdout=b"up\n")})

    ran = fleetrun("exec", "-qN", "-i", "h1,", "uptime")

    assert (ran.out, ran.err) == ("up\n", "")


def test_no_match_is_an_error_and_never_a_success(fleetrun: CommandLine) -> None:
    ran = fleetrun("exec", "-i", "h1,", "-l", "h2", "uptime")

    assert ran.code == 2
    assert ran.err.startswith("fleetrun: error: ")


def test_keys_that_nobody_checks_are_warned_of_each_time(fleetrun: CommandLine) -> None:
    ran = fleetrun("exec", "-i", "h1,h2,", "--host-keys", "off", "uptime")

    assert ran.err.startswith("fleetrun: warning: the keys of 2 of 2 hosts are not checked")
    assert "warning" not in fleetrun("exec", "-i", "h1,", "uptime").err


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_the_run_and_keeps_what_was_done(
    signum: signal.Signals, code: int, fleetrun: CommandLine, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    fleetrun.meets({"h1": FakeHost(stdout=b"up\n"), "h2": FakeHost(takes_s=600, log=begun)})

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signum)

    thread = threading.Thread(target=interrupt)
    thread.start()
    ran = fleetrun("exec", "-i", "h1,h2,h3,", "uptime", "--mode", "sequential")
    thread.join()

    assert ran.code == code
    assert ran.out == "h1: up\n"
    assert ran.err.startswith("fleetrun: stopping: ")
    assert "3 hosts: 1 ok, 1 lost, 1 not run in " in ran.err


@pytest.fixture
def gone() -> Iterator[TextIO]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream


@pytest.fixture
def full() -> Iterator[TextIO]:
    """A disk without room."""
    if not FULL.exists():
        pytest.skip(f"{FULL} is there on Linux alone")
    with FULL.open("w", encoding="utf-8") as stream:
        yield stream


@pytest.mark.parametrize(
    ("output", "why"), [("gone", "Broken pipe"), ("full", "No space left on device")]
)
def test_output_that_cannot_be_written_cancels_the_run(
    output: str,
    why: str,
    request: pytest.FixtureRequest,
    fleetrun: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fleetrun.meets({"h1": FakeHost(stdout=b"line\n", takes_s=600)})
    monkeypatch.setattr(sys, "stdout", request.getfixturevalue(output))

    code = main(["exec", "-i", "h1,", "uptime"])

    assert code == 4
    assert capfd.readouterr().err.startswith(
        f"fleetrun: error: cannot write the output: {why}\nh1: lost in run: "
    )


def test_the_largest_status_is_the_exit_code_on_request(fleetrun: CommandLine) -> None:
    fleetrun.meets({"h1": FakeHost(exit_status=42), "h2": FakeHost(exit_status=3)})

    assert fleetrun("exec", "-i", "h1,h2,", "check").code == 1
    assert fleetrun("exec", "-i", "h1,h2,", "check", "--max-rc").code == 42


def test_a_document_that_cannot_be_written_is_no_success(
    fleetrun: CommandLine,
    full: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fleetrun.meets({})
    monkeypatch.setattr(sys, "stdout", full)

    code = main(["exec", "-i", "h1,", "uptime", "--format", "json"])

    assert code == 1
    assert "cannot write the output" in capfd.readouterr().err
