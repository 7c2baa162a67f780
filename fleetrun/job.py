"""One job on one host, and the one place where an outcome is decided. Layer 4 of the road.

Job ─► run_job ─► Result
          │
          ├─ connect (phases resolve … auth)
          └─ operation.perform (phases session … transfer)
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

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
from fleetrun.events import Emit, PhaseReached
from fleetrun.hosts import Host
from fleetrun.operations import Ending, Exec, Get, Interrupted, Operation
from fleetrun.results import Outcome, Phase, Result
from fleetrun.session import Cancel, Connect

log = logging.getLogger(__name__)
logging.getLogger("fleetrun").addHandler(logging.NullHandler())  # nothing on the terminal unasked

_MAX_BACK_OFF_S = 8.0

HANDED_OVER = frozenset({Phase.EXEC, Phase.RUN, Phase.TRANSFER})
"""Phases in which the work may have begun on the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One operation on one host: frozen, picklable, plain data.

    Attributes:
        host: the host.
        operation: what to do on it.
        retries: how many times to try again when it could not be reached. Never after the work
            was handed over, nor after a refused login or host key.
    """

    host: Host
    operation: Operation
    retries: int = 0


class PhaseClock:
    """Records which phase a host is in and how long it spent in each. Used by one thread."""

    def __init__(self, host: str, emit: Emit) -> None:
        self._host = host
        self._emit = emit
        self._entered_at_s = self.started_at_s = time.monotonic()
        self.phase: Phase | None = None
        self.seconds: dict[Phase, float] = {}

    def enter(self, phase: Phase) -> None:
        """Leave the current phase, if there is one, for this one."""
        now = self._leave()
        self.phase = phase
        self._emit(PhaseReached(host=self._host, phase=phase, at_s=now))

    def stop(self) -> float:
        """Leave the current phase for good and return the seconds since the start."""
        return self._leave() - self.started_at_s

    def _leave(self) -> float:
        now = time.monotonic()
        if self.phase is not None:
            spent = self.seconds.get(self.phase, 0.0)
            self.seconds[self.phase] = spent + now - self._entered_at_s
        self._entered_at_s = now
        return now


def run_job(job: Job, connect: Connect, emit: Emit, cancel: Cancel) -> Result:
    """Do one job on one host and return what happened, whatever happened.

    Emits the phases and the output; `Started` and `Finished` are the executor's. A host's failure
    is a result. So is a bug in fleetrun, that no host may lose its result: it is reported as a
    bug, and its traceback goes to the debug log.
    """
    clock = PhaseClock(job.host.name, emit)
    for attempts in itertools.count(1):
        ending, error = _attempt(job, connect, clock, emit, cancel)
        if attempts > job.retries or not _may_try_again(clock.phase, error):
            break
        if cancel.wait(_back_off_s(attempts)):
            break
    seconds = clock.stop()
    verdict = _judge(clock.phase, ending, error)
    return Result(
        host=job.host.name,
        outcome=verdict.outcome,
        phase=clock.phase,
        exit_status=ending.exit_status,
        signal=ending.signal,
        stdout=ending.stdout,
        stderr=ending.stderr,
        stdout_bytes=ending.stdout_bytes,
        stderr_bytes=ending.stderr_bytes,
        may_still_run=verdict.may_still_run and isinstance(job.operation, Exec),
        killed=None if error is None else error.killed,
        error=verdict.error,
        phase_seconds=clock.seconds,
        started_at_s=clock.started_at_s,
        seconds=seconds,
        attempts=attempts,
        files=ending.files,
        process=os.getpid(),
        thread=threading.current_thread().name,
    )


def _attempt(
    job: Job, connect: Connect, clock: PhaseClock, emit: Emit, cancel: Cancel
) -> tuple[Ending, SessionError | None]:
    """Connect and perform; return how far the operation came and what stopped it, if anything."""
    try:
        session = connect(job.host, clock.enter, cancel)
        try:
            return job.operation.perform(job.host, session, emit), None
        finally:
            session.close()
    except Interrupted as interrupted:
        return interrupted.so_far, interrupted.error
    except SessionError as error:
        return Ending(), error
    except KeyboardInterrupt:
        raise
    except BaseException as bug:
        log.exception("bug while working on %s", job.host.name)
        sentence = f"a bug in fleetrun, please report it: {type(bug).__name__}: {bug}"
        return Ending(), SessionError(sentence)


def _may_try_again(phase: Phase | None, error: SessionError | None) -> bool:
    """Tell whether another try can neither run anything twice nor lock an account."""
    if phase in HANDED_OVER or isinstance(error, AuthError | HostKeyError):
        return False
    return isinstance(error, ConnectError | ConnectionLost | DeadlinePassed | Refused)


def _back_off_s(attempts: int) -> float:
    """Return the pause before the next try: doubled each time, cut at 8 s, and half of it random.

    Random, so that hosts that failed together do not come back together.
    """
    return min(_MAX_BACK_OFF_S, 2.0 ** (attempts - 2)) * random.uniform(0.5, 1.0)  # noqa: S311


def lost_result(
    job: Job,
    phases: Sequence[PhaseReached],
    error: SessionError,
    *,
    started_at_s: float | None,
    surely: bool = True,
) -> Result:
    """Return the result of a job that was begun and whose own result will never come.

    What the worker of a `Get` has brought here of a file that it will not finish is removed.

    Args:
        job: the job.
        phases: the phases that it is known to have reached, in order.
        error: what became of it; the outcome follows from it and the last phase, as for any job.
        started_at_s: when it was begun, on the monotonic clock; None when that is not known.
        surely: whether it reached no other phase than those. If it may have, it counts as one whose
            work was handed over.
    """
    if isinstance(job.operation, Get):
        job.operation.abandon(job.host)
    now = time.monotonic()
    seconds: dict[Phase, float] = {}
    left_at_s = [*(reached.at_s for reached in phases[1:]), now]
    for reached, until_s in zip(phases, left_at_s, strict=False):  # no phase, nothing left
        seconds[reached.phase] = seconds.get(reached.phase, 0.0) + until_s - reached.at_s
    phase = phases[-1].phase if phases else None
    verdict = _judge_error(error, handed_over=phase in HANDED_OVER or not surely, phase=phase)
    return Result(
        host=job.host.name,
        outcome=verdict.outcome,
        phase=phase,
        may_still_run=verdict.may_still_run and isinstance(job.operation, Exec),
        error=verdict.error,
        phase_seconds=seconds,
        started_at_s=started_at_s,
        seconds=0.0 if started_at_s is None else now - started_at_s,
        attempts=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    outcome: Outcome
    error: str | None = None
    may_still_run: bool = False


def _judge(phase: Phase | None, ending: Ending, error: SessionError | None) -> _Verdict:
    """Decide the outcome from the phase that was reached, never from an error's text."""
    if error is not None:
        return _judge_error(error, handed_over=phase in HANDED_OVER, phase=phase)
    if ending.refused is not None:
        return _Verdict(outcome=Outcome.FAILED, error=ending.refused)
    if ending.signal is not None:
        return _Verdict(outcome=Outcome.FAILED, error=ending.note or f"killed by {ending.signal}")
    if ending.exit_status is not None:
        if ending.exit_status == 0:
            return _Verdict(outcome=Outcome.OK, error=ending.note)
        return _Verdict(
            outcome=Outcome.FAILED, error=ending.note or f"exit status {ending.exit_status}"
        )
    if ending.done:
        return _Verdict(outcome=Outcome.OK)
    return _Verdict(
        outcome=Outcome.LOST,
        error=ending.note or "the host ended the session without saying how the command ended",
        may_still_run=True,
    )


def _judge_error(error: SessionError, *, handed_over: bool, phase: Phase | None) -> _Verdict:
    if isinstance(error, Refused):
        refused = Outcome.FAILED if phase is Phase.TRANSFER else Outcome.UNREACHABLE
        return _Verdict(outcome=refused, error=str(error))
    if isinstance(error, Cancelled) and not handed_over:
        return _Verdict(outcome=Outcome.NOT_RUN, error=str(error))
    may_still_run = handed_over and not error.end_seen and not error.killed
    if isinstance(error, DeadlinePassed) and handed_over:
        return _Verdict(outcome=Outcome.TIMEOUT, error=str(error), may_still_run=may_still_run)
    outcome = Outcome.LOST if handed_over else Outcome.UNREACHABLE
    return _Verdict(outcome=outcome, error=str(error), may_still_run=may_still_run)
