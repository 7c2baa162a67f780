"""What happens while hosts are worked on, as data. Layer 2 of the road.

    job ─► Started ─► PhaseReached … ─► Output … ─► Finished

Every host that is begun yields one `Started` and one `Finished`, with its other events between
them, in the order in which they happened. A host that is never begun yields a `Finished` alone.
Times are seconds on the monotonic clock, which all processes of one machine share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fleetrun.results import Phase, Result, Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A host was begun."""

    host: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReached:
    """A host entered a phase."""

    host: str
    phase: Phase
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A command wrote something; pieces end anywhere, also within a line or a character."""

    host: str
    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A host ended, or will not be begun."""

    result: Result

    @property
    def host(self) -> str:
        """The name of the host."""
        return self.result.host


Event = Started | PhaseReached | Output | Finished
Emit = Callable[[Event], None]
"""Takes an event. Called from the thread that runs the job; blocks when the consumer is slow."""
