"""A run in waves, and what stops it. Layer 6 of the road.

    jobs ─► wave 1 ─► pause ─► health ─┬─► wave 2 ─► …
                                       └─► stop: the rest is not run

The events of all waves are one stream. Where there is a health check, a host that is ok has its
`Finished` when its health is known, and every other one at once; so each host has one result, and
that says what became of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from fleetrun.calls import Work
from fleetrun.events import Event, Finished
from fleetrun.executors.drive import CANCELLED
from fleetrun.job import Job
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Result, not_run
from fleetrun.session import Cancel
from fleetrun.waves import Waves

_WORDS_BYTES = 200
_NAMES = 3


class Rollout:
    """One run in waves. Used once, by one thread.

    Args:
        waves: the waves.
        work: what is to be done, all waves together.
    """

    def __init__(self, waves: Waves, work: Work) -> None:
        self._waves = waves
        self._work = work
        self._not_ok: list[str] = []
        self._unchecked: list[str] = []

    def events(self, cancel: Cancel) -> Generator[Event, None, None]:
        """Do the jobs, wave by wave, and yield what happens; every job has one `Finished`."""
        jobs, begin = self._work.jobs, 0
        for size in self._waves.sizes(len(jobs)):
            wave, rest = jobs[begin : begin + size], jobs[begin + size :]
            yield from self._wave(wave, cancel, is_last=not rest)
            if rest and (reason := self._why_stop(cancel)) is not None:
                yield from (Finished(result=not_run(job.host.name, reason)) for job in rest)
                return
            begin += size

    def _wave(self, jobs: Sequence[Job], cancel: Cancel, *, is_last: bool) -> Iterator[Event]:
        health = self._waves.health
        in_doubt: dict[str, Result] = {}
        with closing(self._work.some(jobs, cancel)) as events:
            for event in events:
                if isinstance(event, Finished) and event.result.ok and health is not None:
                    in_doubt[event.host] = event.result
                else:
                    yield self._noted(event)
        if in_doubt or not (is_last or self._why_stop(cancel)):
            cancel.wait(self._waves.pause_s)
        if health is not None:
            yield from self._check(Exec(command=health), jobs, in_doubt, cancel)

    def _check(
        self, health: Exec, jobs: Sequence[Job], in_doubt: dict[str, Result], cancel: Cancel
    ) -> Iterator[Event]:
        """Look at the health of the hosts that were ok, and yield how each of them ended."""
        checks = [replace(job, operation=health) for job in jobs if job.host.name in in_doubt]
        with closing(self._work.uncounted(checks, cancel)) as events:
            for event in events:
                if isinstance(event, Finished):
                    result = self._judge(in_doubt[event.host], event.result, cancel)
                    self._work.tally.note(result)
                    yield self._noted(Finished(result=result))

    def _judge(self, result: Result, health: Result, cancel: Cancel) -> Result:
        """Return the result of a host that was ok, now that its health was looked at."""
        if health.ok:
            return result
        cut_short = cancel.pressed and health.outcome is Outcome.LOST
        if cut_short or health.outcome is Outcome.NOT_RUN:
            self._unchecked.append(result.host)
            return replace(result, error=f"its health was not checked: {health.error}")
        sentence = f"its health check failed: {health.error}{_last_words(health)}"
        return replace(result, outcome=Outcome.FAILED, error=sentence)

    def _noted(self, event: Event) -> Event:
        if isinstance(event, Finished) and not event.result.ok:
            self._not_ok.append(event.host)
        return event

    def _why_stop(self, cancel: Cancel) -> str | None:
        """Return why the next wave is not to be begun; None when it is."""
        if cancel.pressed:
            return CANCELLED
        if self._unchecked:
            return f"the health of an earlier wave is not known: {_names(self._unchecked)}"
        if self._work.tally.is_limited:
            return self._work.tally.reason
        if not self._not_ok:
            return None
        return f"an earlier wave was not ok: {_names(self._not_ok)}"


def _names(hosts: Iterable[str]) -> str:
    names = list(hosts)
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _last_words(health: Result) -> str:
    """Return the last line that the check wrote, as far as it says more than its status."""
    lines = (health.stderr.strip() or health.stdout.strip()).splitlines()
    if not lines:
        return ""
    return f": {lines[-1][:_WORDS_BYTES].decode(errors='replace')}"
