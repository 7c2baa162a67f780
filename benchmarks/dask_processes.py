"""A Dask scheduler and its workers as processes of this machine, and what they take."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

QUIET = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "200ms",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "5s",
}
"""What a Dask worker does not need that does no tasks: idle, one takes 1 % of a core with these
settings, and 4 % without."""

_PATIENCE_S = 60.0
_POLL_S = 0.1
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskProcesses:
    """A cluster on loopback, without TLS and without nannies.

    Attributes:
        address: of the scheduler.
        scheduler: its process.
        workers: theirs.
    """

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def cpu_s(self) -> dict[str, float]:
        """Return processor seconds: of the scheduler, of the Dask workers, and of their children.

        Children count once they have ended.
        """
        own, children = zip(*(_cpu_s(worker.pid) for worker in self.workers), strict=True)
        return {
            "scheduler": _cpu_s(self.scheduler.pid)[0],
            "Dask workers": sum(own),
            "their children": sum(children),
        }

    def scheduler_mb(self) -> float:
        """Return the scheduler's resident memory."""
        return resident_mb(self.scheduler.pid)


@contextlib.contextmanager
def dask_processes(workers: int, folder: Path) -> Iterator[DaskProcesses]:
    """Yield a cluster of that many workers with one thread each; ends it."""
    file = folder / "scheduler.json"
    with contextlib.ExitStack() as processes:
        scheduler = processes.enter_context(
            _started(
                "scheduler", folder, "--host", "127.0.0.1", "--port", "0", "--scheduler-file", file
            )
        )
        address = _address_in(file)
        names = [f"w{number}" for number in range(workers)]
        started = [
            processes.enter_context(
                _started("worker", folder, address, "--no-nanny", "--nthreads", "1", "--name", name)
            )
            for name in names
        ]
        yield DaskProcesses(address=address, scheduler=scheduler, workers=started)


@contextlib.contextmanager
def _started(kind: str, folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dask", kind, "--no-dashboard", *map(str, arguments)]
    with (folder / f"{kind}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **QUIET}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _address_in(file: Path) -> str:
    until_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["address"])
        time.sleep(_POLL_S)
    raise SystemExit("the scheduler did not start")


def resident_mb(pid: int) -> float:
    """Return a process's resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def _cpu_s(pid: int) -> tuple[float, float]:
    """Return the seconds of a process, and of its children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, childrens_user, childrens_system = map(int, fields[11:15])
    return (
        (user + system) / _TICKS_A_SECOND,
        (childrens_user + childrens_system) / _TICKS_A_SECOND,
    )
