"""The parent's side of worker processes: who has which job, who died, who goes on.

    ledger ─► jobs ─► worker 1 … n ─► events ─► caller
       ▲                   │
       └── not begun ──────┴── begun ─► lost        (when a worker dies)

It runs in the caller's thread and has none of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fleetrun.errors import Cancelled, ConnectionLost, FleetrunError, SessionError
from fleetrun.events import Event, Finished, Output, PhaseReached, Started
from fleetrun.executors.crew import Crew
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.mode import Plan
from fleetrun.executors.process import WorkerProcess
from fleetrun.executors.queues import Queues
from fleetrun.executors.wire import CancelAll, Failed, Hold, Ping, Pong, Ready
from fleetrun.job import Job
from fleetrun.session import Cancel

_SPARE_LIVES = 3
"""Deaths beyond one of each worker, with no job finished in between, before no more are hired."""


class Supervisor:
    """The `Engine` of modes with worker processes.

    A worker is given as many jobs as it is wide, and the next one only when the caller has had the
    end of an earlier one and asks for more. So none waits in a worker behind a slow host while
    another worker is idle, and a caller that stops there has begun no other. A job that a worker
    has begun is never given to another; one that it has not begun is, when it dies. One that hangs
    is found and killed (see `Vigil`), and has then died like any other.

    Args:
        plan: how many workers there are to be, and how many jobs each is given at once.
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
        self._queues = Queues(ledger, crew)
        self._killed = False
        self._deaths = 0
        self._last_death = ""
        self._hopeless: FleetrunError | None = None
        crew.heed(cancel)

    def step(self, patience_s: float | None) -> list[Event]:
        """Give out jobs, hire where workers are missing, and return what the workers say."""
        self._check_hope()
        self._give_out()
        if refused := self._ledger.refused():
            return refused
        self._hire()
        if not self._crew.workers:
            reason = f"no worker process could be kept alive; the last one: {self._last_death}"
            return self._ledger.lost(SessionError(reason))
        events: list[Event] = []
        for worker in self._crew.wait(self._wait_s(patience_s)):
            events += self._hear(worker)
        self._look_after_workers()
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
        for worker in self._crew.workers:
            room = min(worker.width, self._plan.width) - len(worker.jobs)
            if jobs := self._queues.take(worker, room):
                self._give(worker, jobs)

    def _give(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        try:
            self._crew.give(worker, jobs)
        except FleetrunError:
            self._queues.give_back(jobs)
            raise

    def _hire(self) -> None:
        """Start workers up to the plan's number, while there is work for them."""
        while (
            self._ledger.waiting
            and len(self._crew.workers) < self._plan.workers
            and self._deaths < self._plan.workers + _SPARE_LIVES
        ):
            try:
                self._crew.hire()
            except OSError as error:
                self._deaths += 1
                self._last_death = str(error)

    def _wait_s(self, patience_s: float | None) -> float:
        """Return how long to wait for words, which is until the next worker is to be looked at."""
        waits = [max(0.0, worker.vigil.left_s) for worker in self._crew.workers]
        waits.append(self._queues.patience_s)
        return min(waits if patience_s is None else [patience_s, *waits])

    def _look_after_workers(self) -> None:
        """Ask the silent ones for a sign of life, and kill those that hang."""
        for worker in self._crew.workers:
            if worker.vigil.ask():
                self._crew.tell(worker, Ping())
            elif (fault := worker.vigil.give_up()) is not None:
                worker.fault = fault
                worker.kill()

    def _hear(self, worker: WorkerProcess) -> list[Event]:
        """Take in what the worker said: words or its death, never both in one step.

        So all that it said is in the ledger by the time its death is judged.
        """
        things = worker.receive()
        if things is None:
            return self._bury(worker)
        events: list[Event] = []
        for thing in things:
            match thing:
                case Ready():
                    worker.width = thing.width
                case Pong():
                    pass  # to be heard is all that it is for
                case Failed():
                    self._accept(worker, thing)
                case logging.LogRecord():
                    _log(thing)
                case Finished():
                    del worker.jobs[thing.host]
                    self._crew.settle(thing.host, worker)
                    self._deaths = 0
                    events.append(thing)
                case Started() | PhaseReached() | Output():
                    events.append(thing)
        worker.vigil.hear(ready=worker.width > 0)
        return events

    def _bury(self, worker: WorkerProcess) -> list[Event]:
        """Take leave of a dead worker: what it had begun is lost, what it had not waits again."""
        self._last_death = self._crew.bury(worker)
        self._deaths += 1
        begun = [job for job in worker.jobs.values() if self._ledger.has_begun(job)]
        unbegun = [job for job in worker.jobs.values() if not self._ledger.has_begun(job)]
        self._queues.give_back(unbegun)
        self._queues.close(worker)
        return self._ledger.lost(self._reason(), begun)

    def _reason(self) -> SessionError:
        if self._killed:
            return Cancelled("it did not end when the run was cancelled; its worker was killed")
        return ConnectionLost(f"the worker process that worked on it died: {self._last_death}")

    def _accept(self, worker: WorkerProcess, failed: Failed) -> None:
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
