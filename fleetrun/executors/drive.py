"""The one loop of every run, whichever engine does the work.

engine ─► events ─► ledger, tally ─► caller
   ▲                     │
   └── stop, hold, kill ◄┴─ cancel, the failure limits, the bound, the end of the books
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Protocol

from fleetrun.events import Event, Finished
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.tally import Tally
from fleetrun.results import not_run
from fleetrun.session import Cancel

ENDING_BOUND_S = 3.0
"""How long jobs may take to end once the run is cancelled, before they are ended by force."""

CANCELLED = "the run was cancelled before it was begun"
"""Why a host was not run, when nothing but a cancel kept it from being begun."""


class Engine(Protocol):
    """Takes jobs from the ledger, has them run and tells what happened. Used by one thread."""

    def step(self, patience_s: float | None) -> list[Event]:
        """Return what happened next, after at most that many seconds; None means any number.

        May return nothing, and returns soon when the run is cancelled. Each step returns a bounded
        amount, and all of it is in the ledger before the next one.
        """

    def stop(self) -> None:
        """Tell what runs that the run is cancelled. Called once at most."""

    def hold(self, reason: str) -> None:
        """Begin nothing more of what was given out, for that reason. Called once at most."""

    def kill(self) -> None:
        """End by force whatever still runs. Called once at most; the next steps tell the rest."""

    def close(self) -> None:
        """Give everything back, at once: threads, processes, descriptors."""


def drive(
    engine: Engine, ledger: Ledger, cancel: Cancel, tally: Tally
) -> Generator[Event, None, None]:
    """Step the engine until every job has finished, and yield the events.

    Once the tally has a reason for it, no job is begun any more; those that have been go on.

    When the caller leaves early (by closing, by Ctrl-C), what runs is cancelled and awaited within
    `ENDING_BOUND_S`; when it leaves again meanwhile, no longer. Either way the engine is closed.
    """
    run = _Run(engine, ledger, cancel, tally)
    try:
        while ledger.unfinished:
            for event in run.advance():
                left_at_s = time.monotonic()
                yield event
                run.excuse(time.monotonic() - left_at_s)
    except BaseException:
        cancel.press()
        run.end()
        raise
    finally:
        engine.close()


class _Run:
    """One run on its way, and how long it may still take once it is cancelled."""

    def __init__(self, engine: Engine, ledger: Ledger, cancel: Cancel, tally: Tally) -> None:
        self._engine = engine
        self._ledger = ledger
        self._cancel = cancel
        self._tally = tally
        self._held = False
        self._ends_by_s: float | None = None
        self._killed = False

    def advance(self) -> list[Event]:
        """Do one step and return what happened, after it was entered in the books."""
        events = self._withdraw() or self._step()
        for event in events:
            self._ledger.note(event)
            if isinstance(event, Finished):
                self._tally.note(event.result)
        return events

    def end(self) -> None:
        """Step to the end, for nobody.

        Raises no error of its own in place of the one that is on its way: a `KeyboardInterrupt`
        between two lines may have torn the books.
        """
        with contextlib.suppress(Exception):
            while self._ledger.unfinished:
                self.advance()

    def excuse(self, seconds: float) -> None:
        """Do not count the seconds that the caller spent: events may have waited for it."""
        if self._ends_by_s is not None:
            self._ends_by_s += seconds

    def _withdraw(self) -> list[Event]:
        """End the jobs that wait, when there is a reason to begin no more."""
        if self._cancel.pressed:
            self._stop()
            return self._end_waiting(CANCELLED)
        if (reason := self._tally.reason) is not None:
            self._hold(reason)
            return self._end_waiting(reason)
        return []

    def _stop(self) -> None:
        if self._ends_by_s is None:
            self._ends_by_s = time.monotonic() + ENDING_BOUND_S
            self._engine.stop()

    def _hold(self, reason: str) -> None:
        if not self._held:
            self._held = True
            self._engine.hold(reason)

    def _end_waiting(self, reason: str) -> list[Event]:
        waiting = iter(self._ledger.take, None)
        ended = [Finished(result=not_run(job.host.name, reason)) for job in waiting]
        return [*ended, *self._ledger.refused()]

    def _step(self) -> list[Event]:
        if self._ends_by_s is None or self._killed:
            return self._engine.step(None)
        left_s = self._ends_by_s - time.monotonic()
        if left_s > 0:
            return self._engine.step(left_s)
        self._killed = True
        self._engine.kill()
        return []
