"""Which worker the waiting jobs are for: the one that has the host's session open, if any has.

ledger ─► a queue for each worker that is a home of hosts ─┬─► that worker
          a queue for the hosts that have none ────────────┘
          a queue whose worker is busy for long ─► a worker that has nothing to do
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from fleetrun.executors.crew import Crew
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.process import WorkerProcess
from fleetrun.job import Job

_PATIENCE_S = 0.5
"""How long a worker has nothing to do before it takes hosts whose sessions others have open: about
what a login far away takes, so that waiting on would be no faster."""


class Queues:
    """The waiting jobs of one run, by the worker that they are for. For the run's one thread.

    Args:
        ledger: the jobs; what is taken from it elsewhere is not given out here any more.
        crew: the workers, and whose homes they are.
    """

    def __init__(self, ledger: Ledger, crew: Crew) -> None:
        self._ledger = ledger
        self._homeless: deque[str] = deque()
        self._at_home: dict[WorkerProcess, deque[str]] = {}
        self._idle_since_s: dict[WorkerProcess, float] = {}
        for host in ledger.waiting_hosts:
            home = crew.home_of(host)
            queue = self._homeless if home is None else self._at_home.setdefault(home, deque())
            queue.append(host)

    def take(self, worker: WorkerProcess, room: int) -> list[Job]:
        """Return up to that many jobs that are for the worker now."""
        if room <= 0:
            return []
        jobs = list(islice(self._jobs_for(worker), room))
        if jobs or not self._at_home:
            self._idle_since_s.pop(worker, None)
        elif not worker.jobs:
            self._idle_since_s.setdefault(worker, time.monotonic())
        return jobs

    @property
    def patience_s(self) -> float:
        """How many seconds from now an idle worker takes what is for others; inf for never."""
        if not (self._idle_since_s and self._ledger.waiting):
            return math.inf
        return max(0.0, min(self._idle_since_s.values()) + _PATIENCE_S - time.monotonic())

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Let jobs that were taken and never begun wait again, as the next ones, for anybody."""
        for job in reversed(jobs):
            self._ledger.give_back(job)
            self._homeless.appendleft(job.host.name)

    def close(self, worker: WorkerProcess) -> None:
        """Let the jobs that are for a worker which has died wait for anybody."""
        self._homeless.extend(self._at_home.pop(worker, ()))
        self._idle_since_s.pop(worker, None)

    def _jobs_for(self, worker: WorkerProcess) -> Iterator[Job]:
        for queue in self._queues_for(worker):
            while queue:
                job = self._ledger.take_of(queue.popleft())
                if job is not None:
                    yield job

    def _queues_for(self, worker: WorkerProcess) -> Iterator[deque[str]]:
        yield self._at_home.get(worker, deque())
        yield self._homeless
        idle_since_s = self._idle_since_s.get(worker, math.inf)
        if time.monotonic() >= idle_since_s + _PATIENCE_S:
            yield from self._at_home.values()
