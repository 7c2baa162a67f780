"""The parent's side of worker processes: who has which job, who died, who goes on.

    ledger ─► jobs ─► worker 1 … n ─► events ─► caller
       ▲                   │
       └── not begun ──────┴── begun ─► lost        (when a worker dies)

It runs in the caller's thread and has none of its own.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Sequence
from itertools import islice

from fleetrun.errors import Cancelled, ConnectionLost, FleetrunError, SessionError
from fleetrun.events import Event, Finished, Output, PhaseReached, Started
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.mode import Plan
from fleetrun.executors.process import WorkerProcess
from fleetrun.executors.wire import CancelAll, Failed, Hold, Ping, Pong, Ready, Setup, pack
from fleetrun.job import Job
from fleetrun.session import Cancel, Connect

_SPARE_LIVES = 3
"""Deaths beyond one of each worker, with no job finished in between, before no more are hired."""


class Supervisor:
    """The `Engine` of modes with worker processes.

    A worker is given as many jobs as it is wide, and the next one only when the caller has had the
    end of an earlier one and asks for more. So none waits in a worker behind a slow host while
    another worker is idle, and a caller that stops there has begun no other. A job that a worker
    has begun is never given to another; one that it has not begun is, when it dies. One that hangs
    is found and killed (see `Vigil`), and has then died like any other.

    Raises `FleetrunError` when `connect` or a job cannot be pickled here or unpickled there.
    """

    def __init__(self, plan: Plan, ledger: Ledger, connect: Connect, cancel: Cancel) -> None:
        level = logging.getLogger("fleetrun").getEffectiveLevel()
        self._setup = pack([Setup(connect=connect, width=plan.width, log_level=level)])
        self._size = plan.workers
        self._carrier = plan.carrier
        self._ledger = ledger
        self._cancel = cancel
        self._killed = False
        self._workers: list[WorkerProcess] = []
        self._deaths = 0
        self._last_death = ""
        self._hopeless: FleetrunError | None = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(cancel, selectors.EVENT_READ)

    def step(self, patience_s: float | None) -> list[Event]:
        """Give out jobs, hire where workers are missing, and return what the workers say."""
        self._check_hope()
        self._give_out()
        if refused := self._ledger.refused():
            return refused
        self._hire()
        if not self._workers:
            reason = f"no worker process could be kept alive; the last one: {self._last_death}"
            return self._ledger.lost(SessionError(reason))
        events: list[Event] = []
        for key, ready in self._selector.select(self._wait_s(patience_s)):
            if isinstance(worker := key.fileobj, WorkerProcess):
                if ready & selectors.EVENT_WRITE:
                    worker.send()
                    self._watch(worker)
                if ready & selectors.EVENT_READ:
                    events += self._hear(worker)
        self._look_after_workers()
        return events

    def stop(self) -> None:
        """Tell the workers that the run is cancelled."""
        self._selector.unregister(self._cancel)
        for worker in self._workers:
            worker.tell(CancelAll())
            self._watch(worker)

    def hold(self, reason: str) -> None:
        """Tell the workers to begin nothing more of what they were given."""
        for worker in self._workers:
            worker.tell(Hold(reason=reason))
            self._watch(worker)

    def kill(self) -> None:
        """Kill the workers. Their last words, and then their deaths, are heard in later steps."""
        self._killed = True
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        """End the workers and wait for them."""
        self._selector.close()
        for worker in self._workers:
            worker.hang_up()
        for worker in self._workers:
            worker.wait()

    def _give_out(self) -> None:
        for worker in self._workers:
            jobs = list(islice(iter(self._ledger.take, None), max(0, worker.room)))
            if jobs:
                self._give(worker, jobs)

    def _give(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        try:
            worker.give(jobs)
        except FleetrunError:
            self._give_back(jobs)
            raise
        self._watch(worker)

    def _give_back(self, jobs: Sequence[Job]) -> None:
        for job in reversed(jobs):
            self._ledger.give_back(job)

    def _hire(self) -> None:
        """Start workers up to the plan's number, while there is work for them."""
        while (
            self._ledger.waiting
            and len(self._workers) < self._size
            and self._deaths < self._size + _SPARE_LIVES
        ):
            try:
                worker = WorkerProcess(self._setup, self._carrier)
            except OSError as error:
                self._deaths += 1
                self._last_death = str(error)
            else:
                self._workers.append(worker)
                self._selector.register(worker, selectors.EVENT_READ)
                self._watch(worker)

    def _wait_s(self, patience_s: float | None) -> float:
        """Return how long to wait for words, which is until the next worker is to be looked at."""
        waits = [max(0.0, worker.vigil.left_s) for worker in self._workers]
        return min(waits if patience_s is None else [patience_s, *waits])

    def _look_after_workers(self) -> None:
        """Ask the silent ones for a sign of life, and kill those that hang."""
        for worker in self._workers:
            if worker.vigil.ask():
                worker.tell(Ping())
                self._watch(worker)
            elif (fault := worker.vigil.give_up()) is not None:
                worker.fault = fault
                worker.kill()

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the worker's words, and for room in its socket while there is need of it."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.has_unsent else 0)
        if self._selector.get_key(worker).events != events:
            self._selector.modify(worker, events)

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
                    self._deaths = 0
                    events.append(thing)
                case Started() | PhaseReached() | Output():
                    events.append(thing)
        worker.vigil.hear(ready=worker.width > 0)
        return events

    def _bury(self, worker: WorkerProcess) -> list[Event]:
        """Take leave of a dead worker: what it had begun is lost, what it had not waits again."""
        self._selector.unregister(worker)
        self._workers.remove(worker)
        worker.hang_up()
        self._last_death = worker.wait()
        self._deaths += 1
        begun = [job for job in worker.jobs.values() if self._ledger.has_begun(job)]
        self._give_back([job for job in worker.jobs.values() if not self._ledger.has_begun(job)])
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
