"""The one loop of every run, whichever engine does the work.

engine ─► events ─► ledger ─► caller
   ▲                  │
   └── stop, kill ◄── cancel, the bound, the end of the books
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Protocol

from fleetrun.events import Event, Finished
from fleetrun.executors.ledger import Ledger
from fleetrun.results import not_run
from fleetrun.session import Cancel

ENDING_BOUND_S = 3.0
"""How long jobs may take to end once the run is cancelled, before they are ended by force."""


class Engine(Protocol):
    """Takes jobs from the ledger, has them run and tells what happened. Used by one thread."""

    def step(self, patience_s: float | None) -> list[Event]:
        """Return what happened next, after at most that many seconds; None means any number.

        May return nothing, and returns soon when the run is cancelled. Each step returns a bounded
        amount, and all of it is in the ledger before the next one.
        """

    def stop(self) -> None:
        """Tell what runs that the run is cancelled. Called once at most."""

    def kill(self) -> None:
        """End by force whatever still runs. Called once at most; the next steps tell the rest."""

    def close(self) -> None:
        """Give everything back, at once: threads, processes, descriptors."""


def drive(engine: Engine, ledger: Ledger, cancel: Cancel) -> Generator[Event, None, None]:
    """Step the engine until every job has finished, and yield the events.

    When the caller leaves early (by closing, by Ctrl-C), what runs is cancelled and awaited within
    `ENDING_BOUND_S`; when it leaves again meanwhile, no longer. Either way the engine is closed.
    """
    run = _Run(engine, ledger, cancel)
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

    def __init__(self, engine: Engine, ledger: Ledger, cancel: Cancel) -> None:
        self._engine = engine
        self._ledger = ledger
        self._cancel = cancel
        self._ends_by_s: float | None = None
        self._killed = False

    def advance(self) -> list[Event]:
        """Do one step and return what happened, after it was entered in the ledger."""
        events = self._withdraw() if self._cancel.pressed else []
        events = events or self._step()
        for event in events:
            self._ledger.note(event)
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
        if self._ends_by_s is None:
            self._ends_by_s = time.monotonic() + ENDING_BOUND_S
            self._engine.stop()
        return [
            Finished(result=not_run(job.host.name, "the run was cancelled before it was begun"))
            for job in iter(self._ledger.take, None)
        ]

    def _step(self) -> list[Event]:
        if self._ends_by_s is None or self._killed:
            return self._engine.step(None)
        left_s = self._ends_by_s - time.monotonic()
        if left_s > 0:
            return self._engine.step(left_s)
        self._killed = True
        self._engine.kill()
        return []
