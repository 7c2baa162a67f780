"""The worker processes of one run, or of several runs one after another.

A crew that is kept between runs remembers which worker has worked on which host, and so keeps its
session open.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Sequence

from fleetrun.executors.mode import Plan
from fleetrun.executors.process import WorkerProcess
from fleetrun.executors.wire import RunOver, Setup, pack
from fleetrun.job import Job
from fleetrun.session import Cancel, Connect


class Crew:
    """Worker processes, and the wait for their words. Used by one run, and one thread, at a time.

    Args:
        plan: of how many hosts at once each worker is to be capable, and what carries them there.
        connect: makes the sessions.
        most_idle: how many sessions each of them keeps open between runs; 0 for none.

    Attributes:
        workers: those that live, as far as is known.
        keeps_sessions: whether it is worth keeping.

    Raises `FleetrunError` when connect cannot be pickled.
    """

    def __init__(self, plan: Plan, connect: Connect, *, most_idle: int = 0) -> None:
        level = logging.getLogger("fleetrun").getEffectiveLevel()
        setup = Setup(connect=connect, width=plan.width, most_idle=most_idle, log_level=level)
        self._setup = pack([setup])
        self._carrier = plan.carrier
        self._homes: dict[str, WorkerProcess] = {}
        self._selector = selectors.DefaultSelector()
        self.keeps_sessions = most_idle > 0
        self.workers: list[WorkerProcess] = []

    def hire(self) -> None:
        """Start one more worker; raises `OSError` when it cannot be started."""
        worker = WorkerProcess(self._setup, self._carrier)
        self.workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        self._watch(worker)

    def give(self, worker: WorkerProcess, jobs: Sequence[Job]) -> None:
        """Give a worker jobs. Raises `FleetrunError`, with none given, if one cannot be pickled."""
        worker.give(jobs)
        self._watch(worker)

    def tell(self, worker: WorkerProcess, thing: object) -> None:
        """Tell a worker something else."""
        worker.tell(thing)
        self._watch(worker)

    def heed(self, cancel: Cancel) -> None:
        """Let the wait end when the run is cancelled."""
        self._selector.register(cancel, selectors.EVENT_READ)

    def ignore(self, cancel: Cancel) -> None:
        """Let it go on from now on."""
        if cancel in self._selector.get_map():
            self._selector.unregister(cancel)

    def wait(self, timeout_s: float) -> list[WorkerProcess]:
        """Wait for the workers' words, and for room for ours; return those who have said something.

        Returns early, with none, when the run that is heeded is cancelled.
        """
        speakers = []
        for key, ready in self._selector.select(timeout_s):
            if isinstance(worker := key.fileobj, WorkerProcess):
                if ready & selectors.EVENT_WRITE:
                    worker.send()
                    self._watch(worker)
                if ready & selectors.EVENT_READ:
                    speakers.append(worker)
        return speakers

    def bury(self, worker: WorkerProcess) -> str:
        """Take leave of a dead worker; return how it ended, a clause."""
        self._selector.unregister(worker)
        self.workers.remove(worker)
        self._homes = {host: home for host, home in self._homes.items() if home is not worker}
        worker.hang_up()
        return worker.wait()

    def home_of(self, host: str) -> WorkerProcess | None:
        """Return the worker that may have a session of the host's open; None when none has."""
        return self._homes.get(host)

    def settle(self, host: str, worker: WorkerProcess) -> None:
        """Note that the worker has worked on the host."""
        if self.keeps_sessions:
            self._homes[host] = worker

    def next_run(self) -> None:
        """Get ready for another run; the workers have nothing to do."""
        for worker in self.workers:
            self.tell(worker, RunOver())

    def close(self) -> None:
        """End the workers and wait for them."""
        self._selector.close()
        for worker in self.workers:
            worker.hang_up()
        for worker in self.workers:
            worker.wait()

    def _watch(self, worker: WorkerProcess) -> None:
        """Wait for the worker's words, and for room in its socket while there is need of it."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.has_unsent else 0)
        if self._selector.get_key(worker).events != events:
            self._selector.modify(worker, events)
