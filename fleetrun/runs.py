"""What one run of a whole fleet took, measured. Layer 1 of the road.

`fleetrun.compare` measures it, `fleetrun.output` shows it; it is data to both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One operation on all hosts of a fleet in one mode, and what it took. Immutable, picklable.

    Attributes:
        mode: the mode, by the name that the user gives.
        forks: how many hosts at once it was allowed, all processes together: its width, as run.
        workers: number of worker processes; 0 when the hosts were worked on in this process.
        wall_seconds: from the first event asked for to the end of the last worker, as the caller
            saw it; starting and ending threads and worker processes is part of it.
        cpu_seconds: user and system time of this process and its worker processes together; None
            where the operating system does not tell (Windows). What hosts, or the servers of a
            practice fleet, used is not in it.
        speedup: how many times as fast as the sequential run of the same comparison; None without
            one, and when either was not comparable.
        peak_overlap: the largest number of hosts that were being worked on at one moment, from
            their recorded starts and ends; 0 when none was begun.
        ok: how many hosts were ok.
        not_ok: how many were not, whatever the reason; those that were never begun included.
        exit_code: the largest that an outcome in it leads to: 0, 1 or 4.
        problem: a clause about the first host that was not ok; None when there was none.
    """

    mode: str
    forks: int
    workers: int
    wall_seconds: float
    cpu_seconds: float | None
    speedup: float | None = None
    peak_overlap: int
    ok: int
    not_ok: int
    exit_code: int
    problem: str | None = None

    @property
    def comparable(self) -> bool:
        """Whether the whole work was done, so that its figures can stand beside another run's."""
        return self.not_ok == 0
