"""The worker processes of one run, or of several runs one after another.

A crew that is kept between runs remembers which worker has worked on which host, and so keeps its
session open.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
from collections.abc import Mapping, Sequence

from fleetrun.executors.asking import frame_of_answer
from fleetrun.executors.end import WorkerEnd
from fleetrun.executors.line import Opening, Site, Workplace
from fleetrun.executors.mode import Plan
from fleetrun.executors.process import ThisMachine
from fleetrun.executors.wire import Ask, RunOver, Setup, pack
from fleetrun.job import Job
from fleetrun.session import Cancel, Connect


class Crew:
    """Workers, and the wait for their words. Used by one run, and one thread, at a time.

    Args:
        plan: of how many hosts at once each worker is to be capable, and what carries them there.
        connect: makes the sessions.
        most_idle: how many sessions each of them keeps open between runs; 0 for none.

    Attributes:
        workers: those that live, as far as is known.
        keeps_sessions: whether it is worth keeping.

    Raises `FleetrunError` when connect cannot be pickled, and what opening the plan's place raises.
    """

    def __init__(self, plan: Plan, connect: Connect, *, most_idle: int = 0) -> None:
        level = logging.getLogger("fleetrun").getEffectiveLevel()
        setup = Setup(
            connect=connect,
            width=plan.width,
            most_idle=most_idle,
            log_level=level,
            away=plan.place is not None and plan.place.is_away,
        )
        self._setup = pack([setup])
        self._workplace: Workplace = (
            ThisMachine(plan.carrier) if plan.place is None else plan.place.open()
        )
        self._selector = selectors.DefaultSelector()
        self._homes: dict[str, WorkerEnd] = {}
        self.keeps_sessions = most_idle > 0
        self.workers: list[WorkerEnd] = []
        self._dismissed: list[WorkerEnd] = []

    @property
    def patience_s(self) -> float:
        """How many seconds to wait for a new opening when no worker is left."""
        return self._workplace.patience_s

    def openings(self, wanted: Mapping[Site, int], *, planned: int) -> Sequence[Opening]:
        """Return what to hire at now (see `Workplace.openings`)."""
        return self._workplace.openings(wanted, planned=planned, hired=len(self.workers))

    def serves(self, site: Site) -> bool:
        """Return whether any worker serves the site, now or soon."""
        return self._workplace.serves(site)

    def hire(self, opening: Opening) -> None:
        """Start one more worker; raises `OSError` when it cannot be started."""
        worker = WorkerEnd(opening(), self._setup)
        self.workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        self._watch(worker)

    def give(self, worker: WorkerEnd, jobs: Sequence[Job]) -> None:
        """Give a worker jobs. Raises `FleetrunError`, with none given, if one cannot be pickled."""
        worker.give(jobs)
        self._watch(worker)

    def tell(self, worker: WorkerEnd, thing: object) -> None:
        """Tell a worker something else."""
        worker.tell(thing)
        self._watch(worker)

    def answer(self, worker: WorkerEnd, asked: Ask) -> None:
        """Answer a worker's question."""
        worker.tell_packed(frame_of_answer(asked))
        self._watch(worker)

    def heed(self, cancel: Cancel) -> None:
        """Let the wait end when the run is cancelled."""
        self._selector.register(cancel, selectors.EVENT_READ)

    def ignore(self, cancel: Cancel) -> None:
        """Let it go on from now on."""
        if cancel in self._selector.get_map():
            self._selector.unregister(cancel)

    def wait(self, timeout_s: float) -> list[WorkerEnd]:
        """Wait for the workers' words, and for room for ours; return those who have said something.

        Returns early, with none, when the run that is heeded is cancelled.
        """
        speakers = []
        for key, ready in self._selector.select(timeout_s):
            if isinstance(worker := key.fileobj, WorkerEnd):
                if ready & selectors.EVENT_WRITE:
                    worker.send()
                    self._watch(worker)
                if ready & selectors.EVENT_READ:
                    speakers.append(worker)
        return speakers

    def bury(self, worker: WorkerEnd) -> str:
        """Take leave of a dead worker; return how it ended, a clause."""
        self._part_with(worker)
        return worker.wait()

    def dismiss(self, worker: WorkerEnd) -> None:
        """End a worker that has nothing to do, without waiting for it."""
        self._part_with(worker)
        self._dismissed.append(worker)

    def home_of(self, host: str) -> WorkerEnd | None:
        """Return the worker that may have a session of the host's open; None when none has."""
        return self._homes.get(host)

    def settle(self, host: str, worker: WorkerEnd) -> None:
        """Note that the worker has worked on the host."""
        if self.keeps_sessions:
            self._homes[host] = worker

    def next_run(self) -> None:
        """Get ready for another run; the workers have nothing to do, and may leave until `wake`."""
        for worker in self.workers:
            self.tell(worker, RunOver())
            worker.rest(idle=True)

    def wake(self) -> None:
        """Begin another run, with the workers that are left."""
        for worker in self.workers:
            worker.rest(idle=False)

    def close(self) -> None:
        """End the workers and wait for them; a Ctrl-C meanwhile ends one wait, and no other."""
        with contextlib.ExitStack() as ending:
            ending.callback(self._workplace.close)
            for worker in [*self.workers, *self._dismissed]:
                ending.callback(worker.wait)
            for worker in self.workers:
                ending.callback(worker.hang_up)
            self._selector.close()

    def _part_with(self, worker: WorkerEnd) -> None:
        self._selector.unregister(worker)
        self.workers.remove(worker)
        self._homes = {host: home for host, home in self._homes.items() if home is not worker}
        worker.hang_up()

    def _watch(self, worker: WorkerEnd) -> None:
        """Wait for the worker's words, and for room in its socket while there is need of it."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.has_unsent else 0)
        if self._selector.get_key(worker).events != events:
            self._selector.modify(worker, events)
