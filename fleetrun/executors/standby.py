"""What stays ready between the runs of one fleet: open sessions, and the workers that hold them.

    run ─► lease ─► Crew ─► leave ─► run …        modes with worker processes
    run ─► connect, which is a Keeper ─► run …    modes without

Several runs at once share one keeper; of the crews each has its own.
"""

from __future__ import annotations

import threading

from fleetrun.executors.crew import Crew
from fleetrun.executors.mode import Plan
from fleetrun.keeper import Keeper
from fleetrun.session import Connect


class Standby:
    """The crews and the sessions that wait for the next run. For any number of threads.

    Args:
        plan: how the fleet's hosts are worked on.
        connect: makes the sessions.
        most_idle: how many each process keeps open while nobody uses them; 1 at least.

    Attributes:
        connect: makes them in this process, or returns one that is idle.
    """

    def __init__(self, plan: Plan, connect: Connect, *, most_idle: int) -> None:
        self._plan = plan
        self._made_by = connect
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._crews: list[Crew] = []
        self._closed = False
        self._keeper = None if plan.workers else Keeper(connect, most=most_idle)
        self.connect: Connect = self._keeper or connect

    def lease(self) -> Crew:
        """Return a crew that nobody uses, the last one that was left; a new one if there is none.

        Raises `FleetrunError` when the sessions' maker cannot be pickled.
        """
        with self._lock:
            crew = self._crews.pop() if self._crews else None
        if crew is None:
            return Crew(self._plan, self._made_by, most_idle=self._most_idle)
        crew.wake()
        return crew

    def leave(self, crew: Crew) -> None:
        """Take a crew whose run is over, and whose workers have nothing to do."""
        crew.next_run()
        with self._lock:
            if not self._closed:
                self._crews.append(crew)
                return
        crew.close()

    def close(self) -> None:
        """End the sessions, and the workers that nobody uses; those in use when they are left."""
        with self._lock:
            self._closed = True
            crews, self._crews = self._crews, []
        for crew in crews:
            crew.close()
        if self._keeper is not None:
            self._keeper.close()
