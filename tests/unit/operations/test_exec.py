"""Running a command: what the host is given, and what is kept of what it writes."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from memory_session import MemorySession, ignore

from fleetrun import Host, Secret, UsageError
from fleetrun.errors import ConnectionLost
from fleetrun.events import Event, Output
from fleetrun.operations import Exec, Interrupted
from fleetrun.operations.shell import as_other_user, within_seconds
from fleetrun.results import Stream
from fleetrun.session import Command, CommandEnd, OnOutput

HOST = Host(name="web1")
TRICKY = [
    "echo hello",
    "echo 'it'\\''s'",
    'echo "$HOME" `id` $(id)',
    "printf '%s\\n' a; echo b\necho c",
    "echo grüße",
    "echo \\",
    "exit 3",
]


def command_of(operation: Exec, host: Host = HOST) -> Command:
    """Return what the session is asked to run."""
    session = MemorySession()
    operation.perform(host, session, ignore)
    (command,) = session.commands
    return command


# --- what is handed over -------------------------------------------------------------------------


@pytest.mark.parametrize("line", TRICKY)
def test_a_command_is_handed_over_as_it_is(line: str) -> None:
    host = replace(HOST, command_timeout_s=7.0)
    operation = Exec(command=line, stdin=b"in", pty=True, confirm_kill=True)
    assert command_of(operation, host) == Command(
        line=line, stdin=b"in", timeout_s=7.0, pty=True, confirm_kill=True
    )


@pytest.mark.parametrize("line", ["", "  ", "\n\t", "a\0b"], ids=ascii)
def test_a_command_that_no_shell_can_run_is_refused_before_any_connection(line: str) -> None:
    with pytest.raises(UsageError):
        Exec(command=line)


def sh(line: str, *, sudo: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a line as a login shell would; with sudo, as what that name does on the host."""
    prelude = f"sudo() {{ {sudo}; }}; " if sudo else ""
    return subprocess.run(
        ["sh", "-c", prelude + line], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("line", TRICKY)
def test_a_time_limit_changes_nothing_in_time(line: str) -> None:
    plain, limited = sh(line), sh(within_seconds(line, 30))
    assert (limited.returncode, limited.stdout) == (plain.returncode, plain.stdout)


def test_a_time_limit_is_kept_by_the_host_itself() -> None:
    assert sh(within_seconds("sleep 60", 0.1)).returncode == 124


# --- another user --------------------------------------------------------------------------------

AFTER_DASHES = 'while [ "$1" != -- ]; do shift; done; shift; "$@"'
"""What sudo does with what stands after `--`."""


@pytest.mark.parametrize("line", TRICKY)
def test_another_user_runs_the_same_line(line: str) -> None:
    wrapped, dialogue = as_other_user(line, "root", None)
    assert dialogue is None
    plain, other = sh(line), sh(wrapped, sudo=AFTER_DASHES)
    assert (other.returncode, other.stdout) == (plain.returncode, plain.stdout)


@pytest.mark.parametrize("line", TRICKY)
def test_with_a_password_the_line_says_when_it_has_begun(line: str) -> None:
    wrapped, dialogue = as_other_user(line, "root", Secret("hunter2"))
    assert dialogue is not None
    plain, other = sh(line), sh(wrapped, sudo=AFTER_DASHES)
    assert (other.returncode, other.stdout) == (plain.returncode, plain.stdout)
    assert other.stderr.startswith(dialogue.begun)


def test_without_a_password_sudo_must_not_ask() -> None:
    host = replace(HOST, become_user="root")
    assert command_of(Exec(command="id"), host).line == "sudo -n -H -u root -- sh -c id"


def test_a_password_is_in_the_dialogue_alone() -> None:
    host = replace(HOST, become_user="root", become_password=Secret("hunter2"))
    command = command_of(Exec(command="id"), host)
    assert "hunter2" not in command.line
    assert "sudo -S -p " in command.line
    assert command.dialogue is not None
    assert command.dialogue.answer == Secret("hunter2")
    assert command.dialogue.question.decode() in command.line
    assert command.dialogue.begun.decode() in command.line
    assert "(to become root)" in command.dialogue.refused


def test_no_two_commands_have_the_same_markers() -> None:
    host = replace(HOST, become_user="root", become_password=Secret("hunter2"))
    dialogues = [command_of(Exec(command="id"), host).dialogue for _ in range(10)]
    questions = {dialogue.question for dialogue in dialogues if dialogue is not None}
    begins = {dialogue.begun for dialogue in dialogues if dialogue is not None}
    assert len(questions | begins) == 20


def test_the_time_limit_is_inside_and_the_other_user_around_it() -> None:
    host = replace(HOST, become_user="root")
    line = command_of(Exec(command="id", remote_timeout_s=5.0), host).line
    assert line.index("sudo") < line.index("timeout")


# --- what is kept --------------------------------------------------------------------------------


def writes(take: OnOutput) -> CommandEnd:
    """Write to both streams, in pieces."""
    for number in range(10):
        take(Stream.STDOUT, b"%d" % number)
    take(Stream.STDERR, b"warning")
    return CommandEnd(exit_status=3, note="odd")


@pytest.mark.parametrize("live", [True, False])
def test_the_streams_are_kept_apart_within_the_limit(*, live: bool) -> None:
    events: list[Event] = []
    operation = Exec(command="x", output_limit_bytes=4, live=live)
    ending = operation.perform(HOST, MemorySession(writes), events.append)
    assert (ending.stdout, ending.stdout_bytes) == (b"0189", 10)
    assert (ending.stderr, ending.stderr_bytes) == (b"waing"[:2] + b"ng", 7)
    assert (ending.exit_status, ending.signal, ending.note) == (3, None, "odd")
    assert len(events) == (11 if live else 0)
    assert all(isinstance(event, Output) and event.host == "web1" for event in events)


def test_what_was_written_before_an_error_goes_with_it() -> None:
    error = ConnectionLost("cut")

    def cut(take: OnOutput) -> CommandEnd:
        take(Stream.STDOUT, b"half")
        raise error

    with pytest.raises(Interrupted) as interrupted:
        Exec(command="x").perform(HOST, MemorySession(cut), ignore)
    assert interrupted.value.error is error
    assert (interrupted.value.so_far.stdout, interrupted.value.so_far.exit_status) == (
        b"half",
        None,
    )
