"""What each way to call a fleet did to its caller. Layer 1 of the road."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRun:
    """One command on all hosts, called for in one style. Immutable, picklable.

    Attributes:
        style: how it was called for: `one by one`, `exec`, `wait`, `poll 10 ms`, …
        mode: the mode of the fleet: `threads` or `processes`.
        wall_seconds: from the call until the caller knew of the last result.
        held_seconds: how much of that the caller's thread spent inside calls to fleetrun and
            `concurrent.futures`, waiting or looking: it could do nothing else.
        ticks: pieces of work of its own that the caller did meanwhile; one is due every 5 ms.
        looks: how often the caller asked whether something was done.
        wake_ups: how often the caller's thread waited and was woken (its voluntary context
            switches), but for its own ticks; None where the system does not tell.
        cpu_seconds: processor time of the caller's thread.
        delay_p50_seconds: from the end of a host, by the clock of who worked on it, until the
            caller knew its result: the median over the hosts.
        delay_max_seconds: the longest of these.
        peak_overlap: the most hosts that were worked on at one moment.
        ok: how many hosts were ok.
        not_ok: how many were not.
        exit_code: the largest that an outcome leads to: 0, 1 or 4.
        problem: a clause about the first host that was not ok; None when there was none.
    """

    style: str
    mode: str
    wall_seconds: float
    held_seconds: float
    ticks: int
    looks: int
    wake_ups: int | None
    cpu_seconds: float
    delay_p50_seconds: float
    delay_max_seconds: float
    peak_overlap: int
    ok: int
    not_ok: int
    exit_code: int
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFindings:
    """What was found.

    Attributes:
        hosts: how many hosts there were.
        command: what each of them ran.
        forks: how many hosts at once the fleets were allowed.
        runs: each style, in one mode after the other.
        says: what the figures show, a few sentences computed from them.
    """

    hosts: int
    command: str
    forks: int
    runs: tuple[CallRun, ...]
    says: str
