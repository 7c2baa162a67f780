"""How much memory this process and its children take, seen while something goes on."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_LOOK_EVERY_S = 0.05
_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class PeakGrowth:
    """The most that memory has grown by since the beginning; 0 where there is no /proc."""

    def __init__(self) -> None:
        self._start_bytes = resident_bytes()
        self.peak_bytes = 0

    def look(self) -> None:
        """Look once."""
        self.peak_bytes = max(self.peak_bytes, resident_bytes() - self._start_bytes)


@contextlib.contextmanager
def peak_growth() -> Iterator[PeakGrowth]:
    """Look twenty times a second at how much memory this process and its children take."""
    growth, over = PeakGrowth(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY_S):
            growth.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield growth
    finally:
        over.set()
        thread.join()


def resident_bytes() -> int:
    """Return the resident size of this process and its children together."""
    return sum(map(_resident_bytes, (os.getpid(), *_children())))


def _children() -> Iterator[int]:
    for tasks in _PROC.glob(f"{os.getpid()}/task/*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended
            yield from map(int, tasks.read_text().split())


def _resident_bytes(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
