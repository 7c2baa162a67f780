"""What it took one thread to read many outputs, in each I/O model. Layer 1 of the road."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRun:
    """One thread that reads all outputs to their ends in one model. Immutable, picklable.

    Attributes:
        model: how it waits and reads: `blocking`, `polling`, `epoll`, …
        source: whose output it was: `sessions` (SSH sessions) or `streams` (plain TCP).
        count: how many outputs.
        calls: the system calls that the thread made for it, by name.
        in_vain: how many of these found nothing to read.
        wake_ups: how often the thread was suspended and woken (its voluntary context switches);
            None where the system does not tell.
        cpu_seconds: processor time of the thread.
        first_p50_seconds: from the word to begin until an output's first byte was read: the median.
        first_max_seconds: the longest of these.
        last_max_seconds: until the last byte of all was read.
        bytes_read: what was read, all together; of sessions, after decryption.
        problem: why there are no figures, a clause; None when there are.
    """

    model: str
    source: str
    count: int
    calls: dict[str, int] | None = None
    in_vain: int = 0
    wake_ups: int | None = None
    cpu_seconds: float = 0.0
    first_p50_seconds: float = 0.0
    first_max_seconds: float = 0.0
    last_max_seconds: float = 0.0
    bytes_read: int = 0
    problem: str | None = None

    @property
    def system_calls(self) -> int:
        """How many system calls there were, all together."""
        return sum((self.calls or {}).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFindings:
    """What was found.

    Attributes:
        runs: the sessions in each model, then the streams, from few to many.
        says: what the figures show, a few sentences computed from them.
    """

    runs: tuple[ReadRun, ...]
    says: str
