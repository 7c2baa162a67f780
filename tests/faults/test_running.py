"""Rows 32 to 49, but for 43: what a server does, or does not do, once SSH itself works."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from memory import peak_growth
from servers import ServerAccount, start_sshd
from trial import Trial, ended

from fleetrun.faults import Direction, FaultProxy, OffScriptServer, answers
from fleetrun.faults.answers import Answer
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase

TIMEOUT_S = 1.0
LINGER_S = 3.0
"""How long output is waited for after a status, when it is silent."""
ENDING_S = 2.0
"""What ending a command politely may take."""
MIB = 1024 * 1024


@contextmanager
def off_script(trial: Trial, **behaviour: object) -> Iterator[tuple[OffScriptServer, Host]]:
    """Yield a server that misbehaves and the host that it is."""
    with OffScriptServer(**behaviour) as server:  # type: ignore[arg-type]
        trial.vouch(server.known_hosts_line)
        yield server, trial.host(server.port, command_timeout_s=TIMEOUT_S)


@pytest.mark.fault(32, "login stalls", "unreachable, phase auth, in time")
def test_row_32_a_stalled_login_ends_at_the_login_timeout(trial: Trial) -> None:
    with OffScriptServer(on_login=answers.say_nothing) as server:
        trial.vouch(server.known_hosts_line)
        result = trial.run(trial.host(server.port, login_timeout_s=TIMEOUT_S), within_s=TIMEOUT_S)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert "not logged in within 1 s" in str(result.error)


@pytest.mark.fault(
    33, "no more sessions (MaxSessions)", "unreachable, phase session, a named error"
)
def test_row_33_a_refused_session_is_named(trial: Trial, tmp_path: Path) -> None:
    with start_sshd(tmp_path, extra=["MaxSessions 0"]) as account:
        result = trial.run(account.host("web1"), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.SESSION)
    assert "the host opens no session: open failed" in str(result.error)


@pytest.mark.fault(
    33, "no second session (MaxSessions 1) to confirm a kill", "timeout, unconfirmed"
)
def test_row_33_a_kill_that_cannot_be_looked_at_is_unconfirmed(trial: Trial) -> None:
    with off_script(trial, on_exec=answers.never, max_sessions=1) as (server, host):
        job = Job(host=host, operation=Exec(command="true", confirm_kill=True))
        (result,) = trial.run_jobs([job], within_s=TIMEOUT_S + ENDING_S)
    assert result.outcome is Outcome.TIMEOUT
    assert result.killed is False
    assert result.may_still_run
    assert len(server.commands) == 1


@pytest.mark.fault(34, "exec request never answered", "timeout, may still run")
def test_row_34_an_unanswered_request_times_out(trial: Trial) -> None:
    with off_script(trial, on_exec=answers.never) as (server, host):
        result = trial.run(host, within_s=TIMEOUT_S + ENDING_S)
    assert ended(result) == (Outcome.TIMEOUT, Phase.EXEC)
    assert result.may_still_run
    assert server.commands == [b"true"]


@pytest.mark.fault(35, "exec refused", "unreachable, phase exec: it did not run")
def test_row_35_a_refused_request_did_not_run(trial: Trial) -> None:
    with off_script(trial, on_exec=answers.refuse) as (_, host):
        result = trial.run(host, within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.EXEC)
    assert not result.may_still_run
    assert "refuses to run commands" in str(result.error)


@pytest.mark.fault(36, "exit 0, 1, 127, 255", "the exact status; 255 is the command's own")
def test_row_36_a_status_is_the_command_s_own(trial: Trial, sshd: ServerAccount) -> None:
    statuses = [0, 1, 127, 255]
    jobs = [
        Job(host=sshd.host(f"web{status}"), operation=Exec(command=f"exit {status}"))
        for status in statuses
    ]
    report = trial.run_jobs(jobs, within_s=0.0)
    assert [result.exit_status for result in report] == statuses
    assert [result.outcome for result in report] == [Outcome.OK, *3 * [Outcome.FAILED]]
    assert {result.phase for result in report} == {Phase.RUN}


@pytest.mark.fault(36, "a server says 300, 2³²-1", "the exact status")
@pytest.mark.parametrize("status", [300, 2**32 - 1])
def test_row_36_a_status_beyond_255_is_kept(trial: Trial, status: int) -> None:
    with off_script(trial, on_exec=answers.finish(status, stdout=b"ran\n")) as (_, host):
        result = trial.run(host, within_s=0.0)
    assert (result.outcome, result.exit_status) == (Outcome.FAILED, status)
    assert result.stdout == b"ran\n"


@pytest.mark.fault(37, "killed by a signal", "failed, signal KILL")
def test_row_37_a_signal_is_named(trial: Trial, sshd: ServerAccount) -> None:
    result = trial.run(sshd.host("web1"), "kill -9 $$", within_s=0.0)
    assert (result.outcome, result.signal, result.exit_status) == (Outcome.FAILED, "KILL", None)
    assert result.error == "killed by KILL"


@pytest.mark.fault(
    38,
    "close without status; end of output only; status and no close",
    "lost; timeout; ok: never ok unless status 0 was seen",
)
@pytest.mark.parametrize(
    ("answer", "outcome", "waits_s", "words"),
    [
        pytest.param(
            answers.close_without_status,
            Outcome.LOST,
            0.0,
            "without saying how the command ended",
            id="close without status",
        ),
        pytest.param(
            answers.close_unanswered,
            Outcome.LOST,
            0.0,
            "closed the session instead of running it",
            id="close in place of an answer",
        ),
        pytest.param(
            answers.end_output_only,
            Outcome.TIMEOUT,
            TIMEOUT_S + ENDING_S,
            "no end within 1 s",
            id="end of output only",
        ),
        pytest.param(
            answers.status_without_close(0),
            Outcome.OK,
            LINGER_S,
            "still holds its output open",
            id="status and no close",
        ),
        pytest.param(
            answers.status_without_close(3),
            Outcome.FAILED,
            LINGER_S,
            "still holds its output open",
            id="status 3 and no close",
        ),
        pytest.param(
            answers.leave("shutting down"), Outcome.LOST, 0.0, "shutting down", id="disconnect"
        ),
    ],
)
def test_row_38_only_status_0_is_ok(
    trial: Trial, answer: Answer, outcome: Outcome, waits_s: float, words: str
) -> None:
    with off_script(trial, on_exec=answer) as (_, host):
        result = trial.run(host, within_s=waits_s)
    assert result.outcome is outcome
    assert words in str(result.error)
    assert result.may_still_run == (outcome in {Outcome.LOST, Outcome.TIMEOUT})


BOTH_STREAMS = """
import os, sys
first, second, size = int(sys.argv[1]), 3 - int(sys.argv[1]), int(sys.argv[2])
block = bytes(range(256)).replace(b"\\n", b"-") * 256
for fd in (first, second):
    for at in range(0, size, len(block)):
        view = memoryview(block)[at % 251:]
        while view:
            view = view[os.write(fd, view):]
"""


@pytest.mark.fault(39, "10 MiB on both streams, no newline", "complete, hashes equal")
@pytest.mark.parametrize("first", [1, 2], ids=["stdout first", "stderr first"])
def test_row_39_both_streams_arrive_whole(
    trial: Trial, sshd: ServerAccount, first: int, tmp_path: Path
) -> None:
    script = tmp_path / "both.py"
    script.write_text(BOTH_STREAMS)
    line = shlex.join([sys.executable, str(script), str(first), str(10 * MIB)])
    result = trial.run(sshd.host("web1"), line, within_s=20.0)
    block = bytes(range(256)).replace(b"\n", b"-") * 256
    whole = b"".join(block[at % 251 :] for at in range(0, 10 * MIB, len(block)))
    assert result.ok, result.error
    for stream in (result.stdout, result.stderr):
        assert hashlib.sha256(stream).digest() == hashlib.sha256(whole).digest()


@pytest.mark.fault(40, "cat /dev/zero, yes", "timeout; output capped, memory bounded")
@pytest.mark.parametrize("command", ["cat /dev/zero", "yes >&2"])
def test_row_40_endless_output_is_capped(trial: Trial, sshd: ServerAccount, command: str) -> None:
    host = sshd.host("web1", command_timeout_s=TIMEOUT_S)
    with peak_growth() as growth:
        result = trial.run(
            host, f"exec {command}", within_s=TIMEOUT_S + ENDING_S, output_limit_bytes=MIB
        )
    assert result.outcome is Outcome.TIMEOUT
    assert len(result.stdout) + len(result.stderr) == MIB
    assert result.stdout_bytes + result.stderr_bytes > 2 * MIB
    assert growth.peak_bytes < 150 * MIB


@pytest.mark.fault(41, "server ignores the window", "taken as it comes, memory bounded")
def test_row_41_a_flood_is_not_piled_up(trial: Trial) -> None:
    with off_script(trial, on_exec=answers.ignore_the_window(128 * MIB)) as (_, host):
        patient = dataclasses.replace(host, command_timeout_s=20.0)
        with peak_growth() as growth:
            result = trial.run(patient, within_s=20.0, output_limit_bytes=MIB)
    assert result.ok, result.error
    assert result.stdout_bytes == 128 * MIB
    assert growth.peak_bytes < 100 * MIB


@pytest.mark.fault(41, "server sends pieces longer than we announced", "lost: protocol violation")
def test_row_41_a_piece_longer_than_announced_is_a_violation(trial: Trial) -> None:
    flood = answers.ignore_the_window(MIB, piece_bytes=128 * 1024)
    with off_script(trial, on_exec=flood) as (_, host):
        result = trial.run(host, within_s=0.0)
    assert ended(result) == (Outcome.LOST, Phase.RUN)
    assert result.stdout_bytes == 0


EXACT = {
    "split UTF-8": (b"\xc3", b"\xa4\n"),
    "0xff": (b"\xff\xfe\xff",),
    "NUL": (b"a\0b\0",),
    "no final newline": (b"one\ntwo",),
    "a 100 KB line": (b"x" * 100_000, b"\n"),
    "CR": (b"50%\r100%\r\n",),
}


@pytest.mark.fault(42, "split UTF-8, 0xff, NUL, no final newline, a 100 KB line", "bytes exact")
def test_row_42_bytes_are_exact(trial: Trial, sshd: ServerAccount, tmp_path: Path) -> None:
    jobs = []
    for number, pieces in enumerate(EXACT.values()):
        files = [tmp_path / f"{number}-{which}" for which in range(len(pieces))]
        for file, piece in zip(files, pieces, strict=True):
            file.write_bytes(piece)
        command = "; sleep 0.05; ".join(f"cat {shlex.quote(str(file))}" for file in files)
        jobs.append(Job(host=sshd.host(f"web{number}"), operation=Exec(command=command)))
    report = trial.run_jobs(jobs, within_s=0.0)
    arrived = dict(zip(EXACT, (result.stdout for result in report), strict=True))
    assert arrived == {case: b"".join(pieces) for case, pieces in EXACT.items()}


@pytest.mark.fault(44, "command reads stdin", "end of input at once, exit 0")
def test_row_44_a_reader_sees_the_end_of_input_at_once(trial: Trial, sshd: ServerAccount) -> None:
    result = trial.run(sshd.host("web1"), "cat; echo over", within_s=0.0)
    assert (result.exit_status, result.stdout) == (0, b"over\n")


@pytest.mark.fault(45, "12 MiB on stdin into cat", "echoed whole")
def test_row_45_stdin_comes_back_whole(trial: Trial, sshd: ServerAccount) -> None:
    data = os.urandom(MIB) * 12
    result = trial.run(sshd.host("web1"), "cat", stdin=data, within_s=20.0)
    assert result.ok, result.error
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


@pytest.mark.fault(45, "12 MiB on stdin for a command that reads none of it", "ok, at once")
def test_row_45_unread_stdin_holds_nothing_up(trial: Trial, sshd: ServerAccount) -> None:
    result = trial.run(sshd.host("web1"), "echo ran", stdin=bytes(12 * MIB), within_s=LINGER_S)
    assert (result.exit_status, result.stdout) == (0, b"ran\n")


@pytest.mark.fault(46, "a background child holds stdout", "ok, bounded, with a hint")
def test_row_46_a_child_left_behind_is_not_waited_for(trial: Trial, sshd: ServerAccount) -> None:
    result = trial.run(sshd.host("web1"), "sleep 60 & echo $!", within_s=LINGER_S)
    os.kill(int(result.stdout), signal.SIGKILL)
    assert result.ok
    assert "redirect" in str(result.error)


@pytest.mark.fault(49, "reset in mid-output", "lost, partial output kept")
def test_row_49_a_reset_keeps_what_had_come(trial: Trial, sshd: ServerAccount) -> None:
    cut = FaultProxy(
        (sshd.address, sshd.port),
        direction=Direction.TO_CLIENT,
        cut_after_bytes=500_000,
        rst=True,
    )
    with cut as proxy:
        host = sshd.host("web1", port=proxy.port, known_hosts=_moved(trial, sshd, proxy.port))
        result = trial.run(host, "exec yes", within_s=0.0)
    assert ended(result) == (Outcome.LOST, Phase.RUN)
    assert result.may_still_run
    assert 0 < result.stdout_bytes <= 500_000
    assert result.stdout == (b"y\n" * result.stdout_bytes)[: result.stdout_bytes]


def _moved(trial: Trial, account: ServerAccount, port: int) -> tuple[str, ...]:
    line = Path(account.known_hosts).read_text()
    trial.vouch(line.replace(f":{account.port} ", f":{port} "))
    return (str(trial.known_hosts),)
