"""Thousands of sessions, one after the other, in one process: does anything pile up?

    python benchmarks/soak_sessions.py [--sessions 2000]

Threads and descriptors must be back to what they were before the first session, and memory within
10 MB of what it was after 200 (by then all that is imported and cached for good is there). Exits
with 1 when they are not. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import gc
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from machine import machine
from throwaway_sshd import Server, throwaway_sshd

from fleetrun.job import Job, run_job
from fleetrun.operations import Exec
from fleetrun.session import Cancel
from fleetrun.ssh import SshConnect

WARM = 200
MEMORY_MB = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the process has at one moment."""

    after: int
    seconds: float
    threads: int
    descriptors: int
    memory_mb: float

    @classmethod
    def now(cls, after: int, seconds: float) -> Standing:
        """Look at this process."""
        gc.collect()
        status = Path("/proc/self/status").read_text().splitlines()
        resident_kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return cls(
            after=after,
            seconds=seconds,
            threads=threading.active_count(),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            memory_mb=resident_kb / 1024,
        )


def main() -> int:
    """Run them, print what was seen on the way, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=2000)
    sessions = parser.parse_args().sessions
    with throwaway_sshd() as server:
        seen = soak(server, sessions)
        print(f"{machine()}; server: {server.version}\n")
    print("| sessions | seconds | threads | descriptors | memory MB |")
    print("|---:|---:|---:|---:|---:|")
    for standing in seen:
        print(
            f"| {standing.after} | {standing.seconds:.1f} | {standing.threads} | "
            f"{standing.descriptors} | {standing.memory_mb:.1f} |"
        )
    return judge(seen)


def soak(server: Server, sessions: int) -> list[Standing]:
    """Run so many sessions and return what the process had before, on the way and at the end."""
    job = Job(host=server.host, operation=Exec(command="echo out; echo err >&2"))
    cancel = Cancel()
    looks = {WARM, *range(500, sessions, 500), sessions}
    began_s = time.perf_counter()
    seen = [Standing.now(0, 0.0)]
    for number in range(1, sessions + 1):
        result = run_job(job, SshConnect(), lambda _event: None, cancel)
        assert result.ok, result
        if number in looks:
            seen.append(Standing.now(number, time.perf_counter() - began_s))
    cancel.close()
    return seen


def judge(seen: list[Standing]) -> int:
    """Say whether anything has piled up; return 1 when it has."""
    first, last = seen[0], seen[-1]
    warm = next(standing for standing in seen if standing.after == WARM)
    grown_mb = last.memory_mb - warm.memory_mb
    same = (first.threads, first.descriptors) == (last.threads, last.descriptors)
    good = same and grown_mb <= MEMORY_MB
    print(
        f"\nthreads and descriptors {'as before' if same else 'NOT as before'}; memory grew by "
        f"{grown_mb:.1f} MB since session {WARM} (target: at most {MEMORY_MB:.0f}; "
        f"{'met' if good else 'MISSED'})"
    )
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
