"""The one place where an outcome is decided: from the phase that was reached, never from words."""

from __future__ import annotations

import itertools
import logging
import pickle
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleetrun import Host
from fleetrun import job as job_module
from fleetrun.errors import (
    AuthError,
    Cancelled,
    ConnectError,
    ConnectionLost,
    DeadlinePassed,
    HostKeyError,
    Refused,
    SessionError,
)
from fleetrun.events import Event, Output, PhaseReached
from fleetrun.job import HANDED_OVER, Job, lost_result, run_job
from fleetrun.operations import Exec, Get, Operation, Put
from fleetrun.results import Outcome, Phase, Result, Stream
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase
from fleetrun.testing import FakeFiles

HOST = Host(name="web1")
EXEC = Exec(command="true")
LOGIN = (Phase.RESOLVE, Phase.CONNECT, Phase.BANNER, Phase.KEX, Phase.HOSTKEY, Phase.AUTH)
WITH_A_COMMAND = (*LOGIN, Phase.SESSION, Phase.EXEC, Phase.RUN)
WITH_FILES = (*LOGIN, Phase.SESSION, Phase.TRANSFER)


@dataclass
class Trouble:
    """Connects, goes through phases, and raises an error in one of them.

    Attributes:
        phase: the phase in which it is raised; None for a host without trouble.
        errors: what is raised, one an attempt; when they are used up, nothing.
        end: how the command ends.
        output: what it writes first.
        closed: how many sessions were closed.
        opened: how many were opened.
    """

    phase: Phase | None = None
    errors: Iterator[BaseException] = field(default_factory=lambda: iter(()))
    end: CommandEnd = field(default_factory=lambda: CommandEnd(exit_status=0))
    output: tuple[tuple[Stream, bytes], ...] = ()
    closed: int = 0
    opened: int = 0
    attempts: int = 0

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> TroubledSession:  # noqa: ARG002
        self.attempts += 1
        error = next(self.errors, None)

        def enter(phase: Phase) -> None:
            on_phase(phase)
            if phase is self.phase and error is not None:
                raise error

        for phase in LOGIN:
            enter(phase)
        self.opened += 1
        return TroubledSession(self, enter)


class TroubledSession:
    """A session of a host in trouble."""

    def __init__(self, trouble: Trouble, enter: OnPhase) -> None:
        self._trouble = trouble
        self._enter = enter

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:  # noqa: ARG002
        self._enter(Phase.SESSION)
        self._enter(Phase.EXEC)
        for stream, data in self._trouble.output:
            on_output(stream, data)
        self._enter(Phase.RUN)
        return self._trouble.end

    def files(self, *, timeout_s: float | None) -> FakeFiles:  # noqa: ARG002
        self._enter(Phase.SESSION)
        self._enter(Phase.TRANSFER)
        return FakeFiles({"there": b"content"})

    def close(self) -> None:
        self._trouble.closed += 1


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    """Return a run's stop button."""
    button = Cancel()
    yield button
    button.close()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no pause between two tries take time; return how long they would have been."""
    asked_for: list[float] = []

    def wait(button: Cancel, seconds: float) -> bool:
        asked_for.append(seconds)
        return button.pressed

    monkeypatch.setattr(Cancel, "wait", wait)
    return asked_for


def run(
    trouble: Trouble,
    cancel: Cancel,
    operation: Operation = EXEC,
    *,
    retries: int = 0,
    emit: Callable[[Event], None] = lambda _event: None,
) -> Result:
    """Run a job on the host in trouble."""
    return run_job(Job(host=HOST, operation=operation, retries=retries), trouble, emit, cancel)


def trouble_in(phase: Phase, *errors: BaseException) -> Trouble:
    """Return a host that raises the errors in the phase, one an attempt."""
    return Trouble(phase=phase, errors=iter(errors))


# --- the outcome of an error ---------------------------------------------------------------------

BEFORE = [phase for phase in WITH_A_COMMAND if phase not in HANDED_OVER]
ERRORS: dict[type[SessionError], tuple[Outcome, Outcome]] = {
    ConnectError: (Outcome.UNREACHABLE, Outcome.LOST),
    HostKeyError: (Outcome.UNREACHABLE, Outcome.LOST),
    AuthError: (Outcome.UNREACHABLE, Outcome.LOST),
    ConnectionLost: (Outcome.UNREACHABLE, Outcome.LOST),
    DeadlinePassed: (Outcome.UNREACHABLE, Outcome.TIMEOUT),
    Refused: (Outcome.UNREACHABLE, Outcome.UNREACHABLE),
    Cancelled: (Outcome.NOT_RUN, Outcome.LOST),
    SessionError: (Outcome.UNREACHABLE, Outcome.LOST),
}
"""Outcome before the command was handed over, and after."""


@pytest.mark.parametrize("phase", WITH_A_COMMAND, ids=str)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_leads_to_an_outcome_by_the_phase(
    phase: Phase, kind: type[SessionError], cancel: Cancel
) -> None:
    trouble = trouble_in(phase, kind("timeout unreachable lost"))  # words decide nothing
    result = run(trouble, cancel)
    assert result.outcome is ERRORS[kind][phase in HANDED_OVER]
    assert result.phase is phase
    assert result.error == "timeout unreachable lost"
    assert result.may_still_run == (phase in HANDED_OVER and kind is not Refused)
    assert (result.exit_status, result.signal) == (None, None)


def test_every_error_of_a_session_has_a_row_in_this_table() -> None:
    def family(kind: type[SessionError]) -> set[type[SessionError]]:
        return {kind}.union(*map(family, kind.__subclasses__()))

    ours = {kind for kind in family(SessionError) if kind.__module__ == "fleetrun.errors"}
    assert ours == set(ERRORS)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ConnectionLost, Outcome.LOST),
        (DeadlinePassed, Outcome.TIMEOUT),
        (Cancelled, Outcome.LOST),
        (Refused, Outcome.FAILED),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_an_error_during_a_transfer_leaves_nothing_running(
    kind: type[SessionError], outcome: Outcome, cancel: Cancel, tmp_path: Path
) -> None:
    get = Get(sources=("there",), target=tmp_path)
    result = run(trouble_in(Phase.TRANSFER, kind("no")), cancel, get)
    assert (result.outcome, result.phase) == (outcome, Phase.TRANSFER)
    assert not result.may_still_run


@pytest.mark.parametrize(
    ("end_seen", "killed", "may_still_run"),
    [
        (False, None, True),
        (True, None, False),
        (False, True, False),
        (False, False, True),
    ],
    ids=["nothing seen", "end seen", "killed for sure", "kill not confirmed"],
)
@pytest.mark.parametrize("kind", [DeadlinePassed, Cancelled], ids=lambda kind: kind.__name__)
def test_a_command_that_was_ended_from_here_may_still_run_unless_its_end_was_seen(
    kind: type[SessionError],
    cancel: Cancel,
    *,
    end_seen: bool,
    killed: bool | None,
    may_still_run: bool,
) -> None:
    error = kind("over")
    error.end_seen, error.killed = end_seen, killed
    result = run(trouble_in(Phase.RUN, error), cancel)
    assert result.may_still_run is may_still_run
    assert result.killed is killed


# --- the outcome of an end -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "outcome", "error"),
    [
        (CommandEnd(exit_status=0), Outcome.OK, None),
        (CommandEnd(exit_status=0, note="odd"), Outcome.OK, "odd"),
        (CommandEnd(exit_status=1), Outcome.FAILED, "exit status 1"),
        (CommandEnd(exit_status=255), Outcome.FAILED, "exit status 255"),
        (CommandEnd(exit_status=300), Outcome.FAILED, "exit status 300"),
        (CommandEnd(exit_status=1, note="wrong password"), Outcome.FAILED, "wrong password"),
        (CommandEnd(signal="KILL"), Outcome.FAILED, "killed by KILL"),
        (CommandEnd(signal="KILL", exit_status=0), Outcome.FAILED, "killed by KILL"),
        (CommandEnd(note="odd"), Outcome.LOST, "odd"),
        (
            CommandEnd(),
            Outcome.LOST,
            "the host ended the session without saying how the command ended",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, CommandEnd) else "",
)
def test_an_end_leads_to_an_outcome(
    end: CommandEnd, outcome: Outcome, error: str | None, cancel: Cancel
) -> None:
    result = run(Trouble(end=end), cancel)
    assert (result.outcome, result.error) == (outcome, error)
    assert (result.exit_status, result.signal) == (end.exit_status, end.signal)
    assert result.ok == (end.exit_status == 0 and end.signal is None)
    assert result.may_still_run == (outcome is Outcome.LOST)


@pytest.mark.parametrize("fails_in", [None, *WITH_A_COMMAND], ids=str)
@pytest.mark.parametrize("end", [CommandEnd(), CommandEnd(exit_status=3)], ids=["none", "3"])
def test_ok_is_never_said_without_an_exit_status_of_0(
    fails_in: Phase | None, end: CommandEnd, cancel: Cancel
) -> None:
    trouble = Trouble(phase=fails_in, errors=iter([ConnectionLost("no")]), end=end)
    assert not run(trouble, cancel).ok


def test_a_transfer_that_is_done_is_ok_and_names_its_files(cancel: Cancel, tmp_path: Path) -> None:
    result = run(Trouble(), cancel, Get(sources=("there",), target=tmp_path))
    assert (result.outcome, result.phase) == (Outcome.OK, Phase.TRANSFER)
    assert (result.exit_status, result.error) == (None, None)
    assert result.files == (str(tmp_path / "web1" / "there"),)


def test_a_transfer_that_was_refused_has_failed(cancel: Cancel, tmp_path: Path) -> None:
    result = run(Trouble(), cancel, Get(sources=("there", "missing"), target=tmp_path))
    assert (result.outcome, result.phase) == (Outcome.FAILED, Phase.TRANSFER)
    assert result.error == "missing: no such file on the host"
    assert result.files == (str(tmp_path / "web1" / "there"),)


# --- retries -------------------------------------------------------------------------------------

AGAIN = {ConnectError, ConnectionLost, DeadlinePassed, Refused}


@pytest.mark.parametrize("phase", WITH_A_COMMAND, ids=str)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_only_what_was_never_handed_over_is_tried_again_and_no_refused_login_or_host_key(
    phase: Phase, kind: type[SessionError], cancel: Cancel
) -> None:
    trouble = trouble_in(phase, kind("first"), kind("second"))
    result = run(trouble, cancel, retries=3)
    if phase not in HANDED_OVER and kind in AGAIN:
        assert result.ok
        assert (result.attempts, trouble.attempts) == (3, 3)
    else:
        assert result.error == "first"
        assert (result.attempts, trouble.attempts) == (1, 1)


def test_a_transfer_that_has_begun_is_not_tried_again(cancel: Cancel, tmp_path: Path) -> None:
    trouble = trouble_in(Phase.TRANSFER, ConnectionLost("lost"))
    result = run(trouble, cancel, Get(sources=("there",), target=tmp_path), retries=3)
    assert (result.outcome, trouble.attempts) == (Outcome.LOST, 1)


@pytest.mark.parametrize("retries", [0, 1, 4])
def test_there_are_as_many_retries_as_were_asked_for(
    retries: int, cancel: Cancel, pauses: list[float]
) -> None:
    trouble = Trouble(phase=Phase.CONNECT, errors=map(ConnectError, map(str, itertools.count())))
    result = run(trouble, cancel, retries=retries)
    assert (result.attempts, trouble.attempts, len(pauses)) == (retries + 1, retries + 1, retries)
    assert result.error == str(retries)


def test_the_pauses_double_up_to_a_bound_and_half_of_each_is_random(
    cancel: Cancel, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for share in (0.5, 1.0):
        monkeypatch.setattr(random, "uniform", lambda _low, _high: share)  # noqa: B023
        run(Trouble(phase=Phase.CONNECT, errors=map(ConnectError, "abcdefgh")), cancel, retries=7)
    assert pauses[:7] == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert pauses[7:] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_cancelled_run_does_not_try_again(cancel: Cancel) -> None:
    trouble = trouble_in(Phase.CONNECT, ConnectError("refused"), ConnectError("again"))
    cancel.press()
    result = run(trouble, cancel, retries=5)
    assert (result.error, trouble.attempts) == ("refused", 1)


def test_the_result_is_that_of_the_last_attempt(cancel: Cancel) -> None:
    trouble = trouble_in(Phase.AUTH, ConnectionLost("cut"), AuthError("refused"))
    result = run(trouble, cancel, retries=5)
    assert (result.outcome, result.error, result.attempts) == (Outcome.UNREACHABLE, "refused", 2)


# --- bugs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [(Phase.KEX, Outcome.UNREACHABLE), (Phase.RUN, Outcome.LOST)],
    ids=["before", "after"],
)
@pytest.mark.parametrize("bug", [RuntimeError("oops"), MemoryError(), SystemExit(3)], ids=repr)
def test_a_bug_is_a_result_that_says_so_and_its_traceback_is_for_the_log(
    phase: Phase,
    outcome: Outcome,
    bug: BaseException,
    cancel: Cancel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "fleetrun")
    result = run(trouble_in(phase, bug), cancel, retries=3)
    assert (result.outcome, result.attempts) == (outcome, 1)
    assert result.error is not None
    assert result.error.startswith(f"a bug in fleetrun, please report it: {type(bug).__name__}")
    assert "Traceback" in caplog.text


def test_a_keyboard_interrupt_is_no_result(cancel: Cancel) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(trouble_in(Phase.RUN, KeyboardInterrupt()), cancel)


@pytest.mark.parametrize(
    "error",
    [None, ConnectionLost("no"), Refused("no"), RuntimeError("bug"), KeyboardInterrupt()],
    ids=repr,
)
def test_every_session_that_was_opened_is_closed(
    error: BaseException | None, cancel: Cancel
) -> None:
    trouble = Trouble(phase=Phase.RUN, errors=iter([error] if error else []))
    if isinstance(error, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            run(trouble, cancel)
    else:
        run(trouble, cancel)
    assert (trouble.opened, trouble.closed) == (1, 1)


# --- what a result carries -----------------------------------------------------------------------


def test_output_until_an_error_is_kept(cancel: Cancel) -> None:
    trouble = trouble_in(Phase.RUN, ConnectionLost("cut"))
    trouble.output = ((Stream.STDOUT, b"half"), (Stream.STDERR, b"warning"))
    result = run(trouble, cancel)
    assert (result.stdout, result.stderr) == (b"half", b"warning")
    assert (result.stdout_bytes, result.stderr_bytes) == (4, 7)


@pytest.mark.parametrize("live", [True, False], ids=["live", "in the end"])
def test_events_are_emitted_as_they_happen(cancel: Cancel, *, live: bool) -> None:
    events: list[Event] = []
    trouble = Trouble(output=((Stream.STDOUT, b"out"), (Stream.STDERR, b"err")))
    run(trouble, cancel, Exec(command="true", live=live), emit=events.append)
    phases = [event.phase for event in events if isinstance(event, PhaseReached)]
    pieces = [(event.stream, event.data) for event in events if isinstance(event, Output)]
    assert phases == list(WITH_A_COMMAND)
    assert pieces == (list(trouble.output) if live else [])
    assert {event.host for event in events} == {"web1"}


def test_times_are_in_the_order_of_the_phases_and_add_up(cancel: Cancel) -> None:
    events: list[Event] = []
    result = run(Trouble(), cancel, emit=events.append)
    times = [event.at_s for event in events if isinstance(event, PhaseReached)]
    assert times == sorted(times)
    assert result.started_at_s is not None
    assert result.started_at_s <= times[0]
    assert list(result.phase_seconds) == list(WITH_A_COMMAND)
    assert sum(result.phase_seconds.values()) <= result.seconds


def test_a_phase_that_was_entered_twice_counts_both_times(cancel: Cancel) -> None:
    trouble = trouble_in(Phase.CONNECT, ConnectError("no"), ConnectError("no"))
    result = run(trouble, cancel, retries=2)
    assert result.ok
    assert list(result.phase_seconds) == list(WITH_A_COMMAND)


@pytest.mark.parametrize(
    "operation",
    [EXEC, Exec(command="x", stdin=b"\0", pty=True), Get(sources=("a",), target=Path("b"))],
    ids=["exec", "exec with settings", "get"],
)
def test_jobs_and_results_pickle(operation: Operation, cancel: Cancel) -> None:
    job = Job(host=HOST, operation=operation, retries=2)
    assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301 (our own)
    result = run(Trouble(), cancel)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301


# --- a result that will never come ---------------------------------------------------------------


@pytest.mark.parametrize("count", range(len(WITH_A_COMMAND) + 1))
@pytest.mark.parametrize("kind", [ConnectionLost, Cancelled], ids=lambda kind: kind.__name__)
def test_a_lost_jobs_result_follows_from_its_last_phase_as_any_other(
    count: int, kind: type[SessionError]
) -> None:
    phases = [
        PhaseReached(host="web1", phase=phase, at_s=100.0 + number)
        for number, phase in enumerate(WITH_A_COMMAND[:count])
    ]
    result = lost_result(
        Job(host=HOST, operation=EXEC), phases, kind("the worker died"), started_at_s=99.0
    )
    handed_over = count > 0 and phases[-1].phase in HANDED_OVER
    assert result.outcome is ERRORS[kind][handed_over]
    assert result.phase is (phases[-1].phase if phases else None)
    assert result.may_still_run == handed_over
    assert list(result.phase_seconds.values())[:-1] == [1.0] * max(0, count - 1)
    assert (result.started_at_s, result.attempts) == (99.0, 1)


def test_a_lost_transfer_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = Job(host=HOST, operation=Put(sources=(tmp_path / "file",)))
    phases = [PhaseReached(host="web1", phase=Phase.TRANSFER, at_s=1.0)]
    result = lost_result(job, phases, ConnectionLost("died"), started_at_s=0.0)
    assert (result.outcome, result.may_still_run) == (Outcome.LOST, False)


def test_nothing_goes_to_the_terminal_unasked() -> None:
    assert any(
        isinstance(handler, logging.NullHandler)
        for handler in logging.getLogger("fleetrun").handlers
    )
    assert job_module.log.name.startswith("fleetrun")
