"""One client's run: a child process and all of its own, and what they took."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a run took.

    Attributes:
        wall_s: from the start of the process to its end.
        cpu_s: user and system time of it and of all its children that it waited for.
        peak_mb: largest memory of the process tree, shared pages counted once (Linux's PSS); 0.0
            when it was not watched.
        exit_code: of the process; negative for a signal.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0
    exit_code: int


def allow_many_files() -> None:
    """Raise the limit on open files for this process and its children: no client must raise it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(
    arguments: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    *,
    watch_memory: bool = False,
) -> Took:
    """Run a command to its end, its output thrown away, and say what it took.

    Watching the memory takes processor time that the run then has not: never time such a run.
    """
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [str(argument) for argument in arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watch = _Watch(process.pid) if watch_memory else None
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)  # it was waited for, behind its back
    return Took(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=watch.peak_mb() if watch else 0.0,
        exit_code=process.returncode,
    )


class _Watch(threading.Thread):
    """Looks at the memory of a process and its descendants until it is gone."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peak_kb = 0
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._peak_kb = max(self._peak_kb, sum(map(_pss_kb, _family(self._pid))))

    def peak_mb(self) -> float:
        """End the watch and return the largest sum that was seen."""
        self._over.set()
        self.join()
        return self._peak_kb / 1024


def _family(pid: int) -> list[int]:
    """Return the process and its descendants."""
    family = [pid]
    for member in family:  # grows on the way
        try:
            for task in Path(f"/proc/{member}/task").iterdir():
                family += map(int, (task / "children").read_text().split())
        except OSError:  # it has ended
            continue
    return family


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
