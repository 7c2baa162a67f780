"""The calls of a fleet that are under way, and how they are stopped. Layer 6 of the road.

Fleet ─► Calls ─► Call … ─► Work ─► events
           │        │
         cancel ─► cancel
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetrun.errors import UsageError
from fleetrun.events import Event, Finished
from fleetrun.executors import Plan, execute
from fleetrun.executors.ledger import MayBegin
from fleetrun.executors.tally import Tally
from fleetrun.job import Job
from fleetrun.results import Result
from fleetrun.session import Cancel, Connect

if TYPE_CHECKING:
    from fleetrun.executors.standby import Standby  # few fleets have one

Run = Callable[[Cancel], Generator[Event, None, None]]
"""A whole run: its events, until the last host has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one call is to do, and how.

    Attributes:
        jobs: the jobs, one for each host.
        plan: how the waiting for all of them is overlapped.
        connect: makes the sessions.
        tally: counts the failures, and says when there are too many.
        may_begin: asked before a host is begun; None when all may be.
        standby: the sessions and workers that stay ready between runs; None when none do.
    """

    jobs: Sequence[Job]
    plan: Plan
    connect: Connect
    tally: Tally
    may_begin: MayBegin | None = None
    standby: Standby | None = None

    def events(self, cancel: Cancel) -> Generator[Event, None, None]:
        """Do all of it, and yield what happens."""
        return self.some(self.jobs, cancel)

    def some(self, jobs: Sequence[Job], cancel: Cancel) -> Generator[Event, None, None]:
        """Do some of the jobs."""
        return execute(
            self.plan.for_some(len(jobs)),
            jobs,
            self.connect,
            cancel,
            tally=self.tally,
            may_begin=self.may_begin,
            standby=self.standby,
        )

    def uncounted(self, jobs: Sequence[Job], cancel: Cancel) -> Generator[Event, None, None]:
        """Do other jobs in the same way, whatever was counted, and count nothing."""
        plan = self.plan.for_some(len(jobs))
        return execute(plan, jobs, self.connect, cancel, standby=self.standby)


class Calls:
    """All calls of one fleet. For any number of threads, and for signal handlers."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may interrupt its own thread in it
        self.running: set[Call] = set()
        self.cancelled_times = 0
        self._closed = False

    def check_open(self) -> None:
        """Raise `UsageError` after `close`."""
        if self._closed:
            raise UsageError("this fleet is closed; make a new one")

    def cancel(self) -> None:
        """Cancel the calls that were made before; later ones are not affected."""
        with self.lock:
            self.cancelled_times += 1
            for call in self.running:
                call.cancel()

    def close(self) -> None:
        """Cancel all calls and allow no more."""
        self._closed = True
        self.cancel()


class Call:
    """One call on a fleet. Nothing is begun before its first event is asked for.

    Attributes:
        events: what happens; for one thread at a time. Closing it cancels the call and waits.
    """

    def __init__(self, calls: Calls, run: Run) -> None:
        self._calls = calls
        self._cancelled_times = calls.cancelled_times
        self._cancelled = False
        self._cancel: Cancel | None = None
        self.events: Generator[Event, None, None] = self._iterate(run)

    def cancel(self) -> None:
        """Cancel this call alone. Returns at once; for any thread and for signal handlers."""
        with self._calls.lock:
            self._cancelled = True
            if self._cancel is not None:
                self._cancel.press()

    def _iterate(self, run: Run) -> Generator[Event, None, None]:
        cancel = Cancel()
        try:
            with self._calls.lock:
                self._cancel = cancel
                self._calls.running.add(self)
                if self._cancelled or self._cancelled_times != self._calls.cancelled_times:
                    cancel.press()  # between the call and this moment
            yield from run(cancel)
        finally:
            with self._calls.lock:  # nobody may press it while its descriptors are given back
                self._calls.running.discard(self)
                self._cancel = None
                cancel.close()


def results_among(events: Generator[Event, None, None]) -> Generator[Result, None, None]:
    """Yield the results among the events, as they come; closing it closes them."""
    with closing(events):
        for event in events:
            if isinstance(event, Finished):
                yield event.result
