"""What each job of a run has come to: waiting, taken, begun, finished."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fleetrun.errors import SessionError
from fleetrun.events import Event, Finished, PhaseReached, Started
from fleetrun.job import Job, lost_result
from fleetrun.results import Result, not_run

MayBegin = Callable[[str], bool]
"""Asked with a host's name just before its job is given out; False means that it never is."""


@dataclass(slots=True, kw_only=True)
class _Begun:
    at_s: float
    phases: list[PhaseReached] = field(default_factory=list)


class Ledger:
    """The books of one run, by host name. This is what makes every job end exactly once.

    For the one thread that drives the run. Raises `ValueError` when two jobs are on hosts of one
    name.
    """

    def __init__(self, jobs: Sequence[Job], may_begin: MayBegin | None = None) -> None:
        self._may_begin = may_begin
        self._refused: list[Job] = []
        self._unfinished = {job.host.name: job for job in jobs}
        self._waiting = OrderedDict(self._unfinished)
        self._begun: dict[str, _Begun] = {}
        if len(self._unfinished) != len(jobs):
            raise ValueError("two jobs are on hosts of one name")

    @property
    def unfinished(self) -> int:
        """How many jobs have no result yet."""
        return len(self._unfinished)

    @property
    def waiting(self) -> int:
        """How many jobs nobody has taken yet."""
        return len(self._waiting)

    @property
    def waiting_jobs(self) -> list[Job]:
        """The jobs that nobody has taken yet, in order."""
        return list(self._waiting.values())

    def take(self) -> Job | None:
        """Take the next job that waits and may begin; None when there is none."""
        while self._waiting:
            if (job := self.take_of(next(iter(self._waiting)))) is not None:
                return job
        return None

    def take_of(self, host: str) -> Job | None:
        """Take the job of that host; None when it does not wait, or may not begin."""
        job = self._waiting.pop(host, None)
        if job is None or self._may_begin is None or self._may_begin(host):
            return job
        self._refused.append(job)
        return None

    def refused(self) -> list[Event]:
        """Return how those jobs end that were not allowed to begin, each of them once."""
        refused, self._refused = self._refused, []
        reason = "it was cancelled before it was begun"
        return [Finished(result=not_run(job.host.name, reason)) for job in refused]

    def give_back(self, job: Job) -> None:
        """Let a job that was taken and never begun wait again, as the next one."""
        self._waiting[job.host.name] = job
        self._waiting.move_to_end(job.host.name, last=False)

    def note(self, event: Event) -> None:
        """Enter what happened. Raises `KeyError` when the event's job has finished already."""
        match event:
            case Started():
                self._begun[self._unfinished[event.host].host.name] = _Begun(at_s=event.at_s)
            case PhaseReached():
                self._begun[event.host].phases.append(event)
            case Finished():
                del self._unfinished[event.host]
                self._begun.pop(event.host, None)

    def has_begun(self, job: Job) -> bool:
        """Whether the job was begun and has not finished."""
        return job.host.name in self._begun

    def lost(
        self, reason: SessionError, jobs: Iterable[Job] | None = None, *, surely: bool = True
    ) -> list[Event]:
        """Return how jobs end of which no more will be heard; None means all unfinished ones.

        The outcome of one that was begun follows from the phase that it had reached, as always;
        one that was not is `not_run`. Unless it is surely so: they may have come further than is
        known, and all of them are `lost` then.
        """
        jobs = self._unfinished.values() if jobs is None else jobs
        return [Finished(result=self._lost(job, reason, surely=surely)) for job in jobs]

    def _lost(self, job: Job, reason: SessionError, *, surely: bool) -> Result:
        begun = self._begun.get(job.host.name)
        if begun is None and surely:
            return not_run(job.host.name, str(reason))
        return lost_result(
            job,
            begun.phases if begun else [],
            reason,
            started_at_s=begun.at_s if begun else None,
            surely=surely,
        )
