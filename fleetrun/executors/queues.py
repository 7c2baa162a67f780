"""Which worker the waiting jobs are for: the one that has the host's session open, if any has.

Where hosts have a site, only workers of that site come into question.

ledger ─► a queue for each worker that is a home of hosts ─┬─► that worker
          a queue for each site of hosts that have none ────┤
          a queue whose worker is busy for long ─► a worker of the site that has nothing to do
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from fleetrun.executors.crew import Crew
from fleetrun.executors.end import WorkerEnd
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.line import Site, site_of
from fleetrun.job import Job

_PATIENCE_S = 0.5
"""How long a worker has nothing to do before it takes hosts whose sessions others have open: about
what a login far away takes, so that waiting on would be no faster."""

_BySite = dict[Site, deque[str]]
"""Names of hosts that wait, in order."""


class Queues:
    """The waiting jobs of one run, by the worker that they are for. For the run's one thread.

    Args:
        ledger: the jobs; what is taken from it elsewhere is not given out here any more.
        crew: the workers, and whose homes they are.
        site_key: the variable whose value is the site of a host; None when all hosts are alike.
    """

    def __init__(self, ledger: Ledger, crew: Crew, site_key: str | None = None) -> None:
        self._ledger = ledger
        self._site_key = site_key
        self._homeless: _BySite = {}
        self._at_home: dict[WorkerEnd, _BySite] = {}
        self._idle_since_s: dict[WorkerEnd, float] = {}
        for job in ledger.waiting_jobs:
            home = crew.home_of(job.host.name)
            by_site = self._homeless if home is None else self._at_home.setdefault(home, {})
            by_site.setdefault(self._site(job), deque()).append(job.host.name)

    def take(self, worker: WorkerEnd, room: int) -> list[Job]:
        """Return up to that many jobs that are for the worker now."""
        if room <= 0:
            return []
        jobs = list(islice(self._jobs_for(worker), room))
        if jobs or not self._have_for(worker, self._at_home.values()):
            self._idle_since_s.pop(worker, None)
        elif not worker.jobs:
            self._idle_since_s.setdefault(worker, time.monotonic())
        return jobs

    def has_for(self, worker: WorkerEnd) -> bool:
        """Return whether jobs wait that are for the worker, or for anybody at its sites."""
        return self._have_for(worker, self._own_queues(worker))

    @property
    def patience_s(self) -> float:
        """How many seconds from now an idle worker takes what is for others; inf for never."""
        if not (self._idle_since_s and self._ledger.waiting):
            return math.inf
        return max(0.0, min(self._idle_since_s.values()) + _PATIENCE_S - time.monotonic())

    def waiting(self) -> Counter[Site]:
        """Return how many jobs wait, by site; no site without any."""
        sizes: Counter[Site] = Counter()
        if self._ledger.waiting:  # else all were taken past the queues
            for by_site in (self._homeless, *self._at_home.values()):
                sizes.update({site: len(queue) for site, queue in by_site.items()})
        return +sizes

    def take_all(self, site: Site) -> list[Job]:
        """Return all jobs that wait for a worker at the site."""
        queues = [q.pop(site, ()) for q in (self._homeless, *self._at_home.values())]
        hosts = [host for queue in queues for host in queue]
        return [job for host in hosts if (job := self._ledger.take_of(host)) is not None]

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Let jobs that were taken and never begun wait again, as the next ones, for anybody."""
        for job in reversed(jobs):
            self._ledger.give_back(job)
            self._homeless.setdefault(self._site(job), deque()).appendleft(job.host.name)

    def close(self, worker: WorkerEnd) -> None:
        """Let the jobs that are for a worker which has died or leaves wait for anybody."""
        for site, queue in self._at_home.pop(worker, {}).items():
            self._homeless.setdefault(site, deque()).extend(queue)
        self._idle_since_s.pop(worker, None)

    def _site(self, job: Job) -> Site:
        return site_of(job.host, self._site_key)

    def _jobs_for(self, worker: WorkerEnd) -> Iterator[Job]:
        for queue in self._queues_for(worker):
            while queue:
                job = self._ledger.take_of(queue.popleft())
                if job is not None:
                    yield job

    def _queues_for(self, worker: WorkerEnd) -> Iterator[deque[str]]:
        idle_since_s = self._idle_since_s.get(worker, math.inf)
        others = self._at_home.values() if time.monotonic() >= idle_since_s + _PATIENCE_S else ()
        return _at_sites_of(worker, [*self._own_queues(worker), *others])

    def _own_queues(self, worker: WorkerEnd) -> list[_BySite]:
        return [self._at_home.get(worker, {}), self._homeless]

    @staticmethod
    def _have_for(worker: WorkerEnd, queues: Iterable[_BySite]) -> bool:
        return any(_at_sites_of(worker, queues))


def _at_sites_of(worker: WorkerEnd, queues: Iterable[_BySite]) -> Iterator[deque[str]]:
    """Yield those whose hosts the worker reaches: first those that few others do."""
    sites: list[Site] = [*sorted(worker.sites), None]
    for by_site in queues:
        yield from (by_site[site] for site in sites if site in by_site)
