"""The parent's side of worker processes: who has which job, who died, who goes on.

    ledger ─► jobs ─► worker 1 … n ─► events ─► caller
       ▲                   │
       └── not begun ──────┴── begun ─► lost        (when a worker dies)

It runs in the caller's thread and has none of its own.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from fleetrun.errors import Cancelled, ConnectionLost, FleetrunError, SessionError
from fleetrun.events import Event, Finished, Output, PhaseReached, Started
from fleetrun.executors.clock import ahead_s, told_here
from fleetrun.executors.crew import Crew
from fleetrun.executors.end import WorkerEnd
from fleetrun.executors.hiring import GLANCE_S, Hiring
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.mode import Plan
from fleetrun.executors.queues import Queues
from fleetrun.executors.wire import Ask, CancelAll, Failed, Hold, Ping, Ready
from fleetrun.job import Job
from fleetrun.session import Cancel


class Supervisor:
    """The `Engine` of modes with worker processes.

    A worker is given as many jobs as it is wide, and the next one only when the caller has had the
    end of an earlier one and asks for more. So none waits in a worker behind a slow host while
    another worker is idle, and a caller that stops there has begun no other. A job that a worker
    may have begun is never given to another; one that it has surely not begun is, when it dies. One
    that hangs is found and killed (see `Vigil`), and has then died like any other. A worker that
    comes later is given jobs, and one that is to leave no more of them.

    Args:
        plan: how many workers there are to be, where, and how many jobs each is given at once.
        ledger: the jobs.
        cancel: the run's stop button.
        crew: the workers; used by nobody else during the run.
        leave: takes the crew when the run is over and its workers have nothing to do; None means
            that they are ended then, as they are when they have.

    Raises `FleetrunError` when a job cannot be pickled here, or it or the sessions' maker cannot be
    unpickled there.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        cancel: Cancel,
        crew: Crew,
        leave: Callable[[Crew], None] | None = None,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._cancel = cancel
        self._crew = crew
        self._leave = leave
        self._queues = Queues(ledger, crew, plan.site_key)
        self._killed = False
        self._hiring = Hiring(plan, ledger, self._queues, crew)
        self._hopeless: FleetrunError | None = None
        crew.heed(cancel)

    def step(self, patience_s: float | None) -> list[Event]:
        """Give out jobs, hire where workers are missing, and return what the workers say."""
        self._check_hope()
        self._give_out()
        if refused := self._ledger.refused():
            return refused
        if unserved := self._hiring.look():
            return unserved
        events: list[Event] = []
        for worker in self._crew.wait(self._wait_s(patience_s)):
            events += self._hear(worker)
        self._look_after_workers()
        self._let_go()
        return events

    def stop(self) -> None:
        """Tell the workers that the run is cancelled."""
        self._crew.ignore(self._cancel)
        for worker in self._crew.workers:
            self._crew.tell(worker, CancelAll())

    def hold(self, reason: str) -> None:
        """Tell the workers to begin nothing more of what they were given."""
        for worker in self._crew.workers:
            self._crew.tell(worker, Hold(reason=reason))

    def kill(self) -> None:
        """Kill the workers. Their last words, and then their deaths, are heard in later steps."""
        self._killed = True
        for worker in self._crew.workers:
            worker.kill()

    def close(self) -> None:
        """Leave the crew to the next run, or end the workers and wait for them."""
        busy = self._killed or any(worker.jobs for worker in self._crew.workers)
        if self._leave is None or busy:
            self._crew.close()
        else:
            self._crew.ignore(self._cancel)
            self._leave(self._crew)

    def _give_out(self) -> None:
        working = [worker for worker in self._crew.workers if not worker.is_leaving]
        left = math.inf
        share = self._plan.width
        if self._plan.most is not None:
            left = self._plan.most - sum(len(worker.jobs) for worker in self._crew.workers)
            sharers = sum(bool(w.jobs) or self._queues.has_for(w) for w in working)
            share = -(-self._plan.most // max(1, sharers))
        for worker in working:
            room = min(worker.width, share, left + len(worker.jobs)) - len(worker.jobs)
            if jobs := self._queues.take(worker, int(room)):
                left -= len(jobs)
                self._give(worker, jobs)

    def _give(self, worker: WorkerEnd, jobs: list[Job]) -> None:
        try:
            self._crew.give(worker, jobs)
        except FleetrunError:
            self._queues.give_back(jobs)
            raise

    def _wait_s(self, patience_s: float | None) -> float:
        """Return how long to wait for words, which is until the next worker is to be looked at."""
        waits = [max(0.0, worker.vigil.left_s) for worker in self._crew.workers]
        waits.append(self._queues.patience_s)
        if self._plan.place is not None:
            waits.append(GLANCE_S)
        return min(waits if patience_s is None else [patience_s, *waits])

    def _look_after_workers(self) -> None:
        """Ask the silent ones for a sign of life, and kill those that hang."""
        for worker in self._crew.workers:
            if worker.vigil.ask():
                self._crew.tell(worker, Ping())
            elif (fault := worker.vigil.give_up()) is not None:
                worker.fault = fault
                worker.kill()

    def _hear(self, worker: WorkerEnd) -> list[Event]:
        """Take in what the worker said: words or its death, never both in one step.

        So all that it said is in the ledger by the time its death is judged.
        """
        things = worker.receive()
        if things is None:
            return self._bury(worker)
        events: list[Event] = []
        for thing in things:
            match thing:
                case Finished():
                    worker.finish(thing.host)
                    self._crew.settle(thing.host, worker)
                    self._hiring.note_end()
                    events.append(thing)
                case Started() | PhaseReached() | Output():
                    events.append(thing)
                case _:
                    self._listen(worker, thing)
        worker.vigil.hear(ready=worker.width > 0)
        if worker.clock_ahead_s:
            return [told_here(event, worker.clock_ahead_s) for event in events]
        return events

    def _listen(self, worker: WorkerEnd, thing: object) -> None:
        """Take in what else the worker says; to be heard is all that a `Pong` is for."""
        match thing:
            case Ready():
                worker.width = thing.width
                worker.clock_ahead_s = ahead_s(thing, time.monotonic())
            case Ask():
                self._crew.answer(worker, thing)
            case Failed():
                self._accept(worker, thing)
            case logging.LogRecord():
                _log(thing)

    def _bury(self, worker: WorkerEnd) -> list[Event]:
        """Take leave of a dead worker: what it may have begun is lost, the rest waits again."""
        how = self._crew.bury(worker)
        self._hiring.note_death(how)
        jobs = list(worker.jobs.values())
        begun = [job for job in jobs if self._may_have_begun(worker, job)]
        unbegun = [job for job in jobs if not self._may_have_begun(worker, job)]
        self._queues.give_back(unbegun)
        self._queues.close(worker)
        return self._ledger.lost(self._reason(how), begun, surely=worker.is_exact)

    def _may_have_begun(self, worker: WorkerEnd, job: Job) -> bool:
        if worker.is_exact:
            return self._ledger.has_begun(job)
        return worker.may_have(job)

    def _let_go(self) -> None:
        """Part with the workers that are to leave and have finished what they had."""
        for worker in [worker for worker in self._crew.workers if worker.is_leaving]:
            self._queues.close(worker)
            if not worker.jobs:
                self._crew.dismiss(worker)

    def _reason(self, how: str) -> SessionError:
        if self._killed:
            return Cancelled("it did not end when the run was cancelled; its worker was killed")
        return ConnectionLost(f"the worker process that worked on it died: {how}")

    def _accept(self, worker: WorkerEnd, failed: Failed) -> None:
        """Remember why a worker ends, and whether every other would end likewise."""
        worker.fault = failed.reason
        if failed.hopeless and not self._cancel.pressed:
            self._hopeless = FleetrunError(
                f"a worker process cannot take its work: {failed.reason}; what is sent there must "
                "be importable there, so it cannot be defined in the script that is run"
            )

    def _check_hope(self) -> None:
        """Raise what makes going on pointless: between steps, so that no event is lost by it."""
        hopeless, self._hopeless = self._hopeless, None
        if hopeless is not None:
            raise hopeless


def _log(record: logging.LogRecord) -> None:
    """Log what a worker logged, as if it had happened here."""
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
