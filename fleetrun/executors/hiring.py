"""Which workers are started during a run, and how jobs end that none is left for.

waiting jobs that nobody has room for ─► openings of the workplace ─► new workers
sites that nobody serves, for as long as the workplace's patience ─► not run
"""

from __future__ import annotations

import time
from collections import Counter

from fleetrun.errors import SessionError
from fleetrun.events import Event
from fleetrun.executors.crew import Crew
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.line import Opening, Site, reaches
from fleetrun.executors.mode import Plan
from fleetrun.executors.queues import Queues

_SPARE_LIVES = 3
"""Deaths beyond one of each worker, with no job finished in between, before no more are hired."""

GLANCE_S = 0.5
"""How often it is looked where workers can be started, when they may come and go by themselves."""


class Hiring:
    """Sees to it that one run has workers. For the run's one thread.

    Args:
        plan: how many there are to be, and where.
        ledger: the jobs.
        queues: which worker each waiting one is for.
        crew: the workers.
    """

    def __init__(self, plan: Plan, ledger: Ledger, queues: Queues, crew: Crew) -> None:
        self._plan = plan
        self._ledger = ledger
        self._queues = queues
        self._crew = crew
        self._look_at_s = 0.0
        self._unserved_since_s: dict[Site, float] = {}
        self._deaths = 0
        self._last_death = ""

    def note_end(self) -> None:
        """Note that a job has finished: workers do something else than die."""
        self._deaths = 0

    def note_death(self, how: str) -> None:
        """Note that a worker has died, and how, a clause."""
        self._deaths += 1
        self._last_death = how

    def look(self) -> list[Event]:
        """Start workers where they are missing; return how jobs end that nobody is left for."""
        if not self._is_time():
            return []
        waiting = self._queues.waiting()
        if self._may_hire():
            self._hire(waiting)
        return self._end_unserved(waiting)

    def _is_time(self) -> bool:
        """Return whether to look: at once when there are fewer than planned on this machine."""
        now_s = time.monotonic()
        missing = len(self._crew.workers) < self._plan.workers and self._plan.place is None
        if not missing and self._crew.workers and now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + GLANCE_S
        return True

    def _may_hire(self) -> bool:
        """Whether workers do anything else than die, and there is work for them."""
        lives = max(self._plan.workers, len(self._crew.workers)) + _SPARE_LIVES
        return self._deaths < lives and self._ledger.waiting > 0

    def _hire(self, waiting: Counter[Site]) -> None:
        """Start workers up to the plan's number, or as many as there is room for."""
        wanted = self._wanted(waiting)
        for opening in self._crew.openings(wanted, planned=self._plan.workers):
            while self._may_hire() and not self._hire_at(opening):
                pass

    def _wanted(self, waiting: Counter[Site]) -> Counter[Site]:
        """Return how many jobs wait that no worker has room for, by site."""
        wanted = waiting.copy()
        for worker in self._crew.workers:
            if not worker.is_leaving:
                room = (worker.width or self._plan.width) - len(worker.jobs)
                wanted.subtract(dict.fromkeys([*worker.sites, None], room))
        return wanted if self._plan.most is None else self._of_use(wanted, self._plan.most)

    def _of_use(self, wanted: Counter[Site], most: int) -> Counter[Site]:
        """Return no more than there are hosts at once, but one for a site that has no worker."""
        staying = sum(not worker.is_leaving for worker in self._crew.workers)
        spare = max(0, most - staying)
        return Counter(
            {
                site: min(jobs, spare if self._has_worker(site) else max(1, spare))
                for site, jobs in wanted.items()
            }
        )

    def _hire_at(self, opening: Opening) -> bool:
        try:
            self._crew.hire(opening)
        except OSError as error:
            self.note_death(str(error))
            return False
        return True

    def _end_unserved(self, waiting: Counter[Site]) -> list[Event]:
        """Return how those jobs end that no worker is left for, nor comes for in time."""
        now_s = time.monotonic()
        since_s = self._unserved_since_s
        unserved = [site for site in waiting if not self._is_served(site)]
        self._unserved_since_s = {site: since_s.get(site, now_s) for site in unserved}
        events: list[Event] = []
        for site, at_s in self._unserved_since_s.items():
            if now_s >= at_s + self._patience_s():
                jobs = self._queues.take_all(site)
                events += self._ledger.lost(SessionError(self._nobody_at(site)), jobs)
        return events

    def _is_served(self, site: Site) -> bool:
        """Return whether there is a worker for the site, or one could be hired."""
        return self._has_worker(site) or (self._may_hire() and self._crew.serves(site))

    def _has_worker(self, site: Site) -> bool:
        return any(reaches(worker.sites, site) for worker in self._crew.workers)

    def _patience_s(self) -> float:
        """Return how long to wait for a worker to come: not at all when none would be hired."""
        return self._crew.patience_s if self._crew.workers or self._may_hire() else 0.0

    def _nobody_at(self, site: Site) -> str:
        where = "" if site is None else f" at the site {site!r}"
        if not self._last_death:
            return f"there is no worker any more{where}"
        return f"no worker process could be kept alive{where}; the last one: {self._last_death}"
