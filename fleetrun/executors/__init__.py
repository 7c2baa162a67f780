"""Jobs in, events out: the waiting of many hosts overlapped as a mode says. Layer 5 of the road.

    Plan ─► execute ─► drive ─┬─► Pool         a pool of threads in this process
              ▲               └─► Supervisor ─► worker processes, a Pool's threads in each
     jobs ────┘                                        │
    caller ◄──────────── events ◄──────────────────────┘

`drive` is the one loop: it sees to cancelling, to the bound on ending, to the failure limits, and
to one result a job. An engine below it only says what happened. Nothing here knows what a job does
or what SSH is.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from fleetrun.executors.mode import (
    DEFAULT_MAX_SESSIONS,
    LOCAL_MODES,
    Carrier,
    Mode,
    Plan,
    idle_in_each,
    make_plan,
)

if TYPE_CHECKING:  # the command line asks for `Mode` to print its help, and waits for the rest
    from fleetrun.events import Event
    from fleetrun.executors.drive import Engine
    from fleetrun.executors.ledger import Ledger, MayBegin
    from fleetrun.executors.standby import Standby
    from fleetrun.executors.tally import Tally
    from fleetrun.job import Job
    from fleetrun.session import Cancel, Connect

__all__ = [
    "DEFAULT_MAX_SESSIONS",
    "LOCAL_MODES",
    "Carrier",
    "Mode",
    "Plan",
    "execute",
    "idle_in_each",
    "make_plan",
]


def execute(
    plan: Plan,
    jobs: Sequence[Job],
    connect: Connect,
    cancel: Cancel,
    *,
    tally: Tally | None = None,
    may_begin: MayBegin | None = None,
    standby: Standby | None = None,
) -> Generator[Event, None, None]:
    """Do the jobs as the plan says and yield what happens, in each host's own order.

    Every job yields exactly one `Finished`, whatever becomes of its host, its thread or its worker
    process. A host's place is taken by the next one only when the caller has had its `Finished`
    and asks for more; and what a host writes waits, in the host, for a caller who is slow.

    When `cancel` is pressed, jobs that have not begun end as `not_run` and those that have are
    given 3 s to end; the events go on until every job has its `Finished`. Closing the iterator
    presses `cancel` and waits within the same bound. The iterator is for one thread at a time.

    Args:
        plan: how the waiting is overlapped.
        jobs: what to do; no two on hosts of one name, which raises `ValueError`.
        connect: makes the sessions. With worker processes it is pickled, as the jobs are: what
            cannot be pickled here or unpickled there raises `FleetrunError`.
        cancel: the run's stop button; the caller closes it, after this iterator.
        tally: counts the failures; once it has a reason, what has not begun is `not_run` for that
            reason, and what has begun goes on to its end. None means that nothing is counted.
        may_begin: asked with a host's name, by the thread that iterates, when its turn comes (and
            once more if a worker process dies before it has begun it); when it says no, the host
            is `not_run`. None means that all may.
        standby: where sessions and workers come from and are left for the next run, made for the
            same connect and the same mode. None means that they end with this run.
    """
    from fleetrun.executors.drive import drive  # noqa: PLC0415 (slow, like those below)
    from fleetrun.executors.ledger import Ledger  # noqa: PLC0415
    from fleetrun.executors.tally import Tally  # noqa: PLC0415

    ledger = Ledger(jobs, may_begin)
    engine = _engine(plan, ledger, connect, cancel, standby)
    yield from drive(engine, ledger, cancel, tally or Tally())


def _engine(
    plan: Plan, ledger: Ledger, connect: Connect, cancel: Cancel, standby: Standby | None
) -> Engine:
    if plan.workers:
        from fleetrun.executors.crew import Crew  # noqa: PLC0415
        from fleetrun.executors.supervisor import Supervisor  # noqa: PLC0415

        crew = Crew(plan, connect) if standby is None else standby.lease()
        leave = None if standby is None else standby.leave
        try:
            return Supervisor(plan, ledger, cancel, crew, leave)
        except BaseException:  # KeyboardInterrupt: there are many jobs to look at
            crew.close()
            raise
    from fleetrun.executors.pool import Pool  # noqa: PLC0415

    return Pool(plan, ledger, connect if standby is None else standby.connect, cancel)
