"""What this process and its workers hold at one moment, and the most of it during a round.

Looking costs processor time, so it is done in a round that is not measured. psutil does the
looking; it is optional (`pip install 'fleetrun[report]'`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from fleetrun.runs import Peaks

if TYPE_CHECKING:
    import psutil

_EVERY_S = 0.02
"""How long is waited from one look to the next: a worker takes ten times that to start."""

Look = Callable[[], Peaks]
"""Returns what there is at the moment."""


def can_look() -> bool:
    """Whether psutil is there."""
    return importlib.util.find_spec("psutil") is not None


class ProcessTree:
    """This process and the children that it gets from now on, with theirs.

    Those that it has already, such as the servers of a practice fleet, are not of the tree, and
    neither are theirs. For one thread at a time. Raises `ImportError` without psutil.
    """

    def __init__(self) -> None:
        import psutil  # noqa: PLC0415 (optional)

        self._gone = psutil.Error  # ended in between
        self._root = psutil.Process()
        self._others = {child.pid for child in self._root.children(recursive=True)}

    def look(self) -> Peaks:
        """Return what there is now."""
        held = [one for process in self._processes() for one in self._held(process)]
        return Peaks(
            threads=sum(threads for threads, _, _ in held),
            processes=len(held),
            descriptors=sum(descriptors for _, descriptors, _ in held),
            memory_bytes=sum(memory_bytes for _, _, memory_bytes in held),
        )

    def _processes(self) -> list[psutil.Process]:
        others = set(self._others)
        found = [self._root]
        for child in self._root.children(recursive=True):  # a parent always before its children
            with contextlib.suppress(self._gone):
                if child.pid in others or child.ppid() in others:
                    others.add(child.pid)
                else:
                    found.append(child)
        return found

    def _held(self, process: psutil.Process) -> Iterator[tuple[int, int, int]]:
        """Yield its threads, descriptors and bytes of memory; nothing when it is gone."""
        with contextlib.suppress(self._gone):
            memory = process.memory_full_info()
            memory_bytes = int(getattr(memory, "pss", memory.uss))
            yield process.num_threads(), process.num_fds(), memory_bytes


class Watch:
    """Looks again and again, in a thread of its own, from when it is entered until it is left.

    Attributes:
        peaks: the most of each that a look has found, once it is left. The watching thread is not
            in it.

    Args:
        look: what it looks with.
        every_s: seconds from the end of a look to the next.
    """

    peaks: Peaks

    def __init__(self, look: Look, *, every_s: float = _EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._over = Event()
        self._thread = Thread(target=self._watch, name="fleetrun-watch", daemon=True)
        self._looks: list[Peaks] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        self.peaks = _most(self._looks)

    def _watch(self) -> None:
        while True:
            self._looks.append(self._look())
            if self._over.wait(self._every_s):
                return


def _most(looks: list[Peaks]) -> Peaks:
    names = [field.name for field in dataclasses.fields(Peaks)]
    most = {name: max(getattr(look, name) for look in looks) for name in names}
    return Peaks(**{**most, "threads": most["threads"] - 1})
