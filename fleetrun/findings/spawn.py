"""What a worker costs: made, ended, kept, given a job. Layer 1 of the road."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCost:
    """What one kind of worker costs on this machine. Immutable, picklable.

    Attributes:
        kind: `thread`, `greenlet`, `fork`, `forkserver` or `spawn`; the last three are processes.
        paramiko: whether the worker has paramiko imported when it takes its first job.
        made: how many were made and ended, one after another.
        create_seconds: from asking for one to its first word, the median.
        destroy_seconds: from telling it to end to having waited for it, the median.
        kept: how many were alive at once when the memory was looked at.
        pss_bytes: memory that each of those added, pages that processes share being divided among
            them (`Pss` of Linux's smaps_rollup); None where the system does not tell.
        rss_bytes: the same, shared pages counted for each (`Rss`).
        round_trip_seconds: to hand a small job over and get its answer back, the median.
        problem: why there are no figures, a clause; None when there are.
    """

    kind: str
    paramiko: bool
    made: int = 0
    create_seconds: float | None = None
    destroy_seconds: float | None = None
    kept: int = 0
    pss_bytes: float | None = None
    rss_bytes: float | None = None
    round_trip_seconds: float | None = None
    problem: str | None = None

    @property
    def life_seconds(self) -> float | None:
        """Seconds to make one and end it again."""
        if self.create_seconds is None or self.destroy_seconds is None:
            return None
        return self.create_seconds + self.destroy_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnFindings:
    """What every kind of worker costs, and what that means.

    Attributes:
        costs: each kind, without and then with paramiko.
        says: what the figures show, a few sentences computed from them.
    """

    costs: tuple[WorkerCost, ...]
    says: str
