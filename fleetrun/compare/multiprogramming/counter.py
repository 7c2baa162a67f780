"""Workers that add to a counter, in shared memory and in separate memory.

    python counter.py WORKERS STEPS

Prints what the counters had in the end as one JSON line. Run by path, in a process of its own: the
processes are spawned, and so find nothing here but this file.

A step of `read, switch, write` gives the processor up between reading the counter and writing it:
that is the moment at which an ordinary switch does its harm, made certain. `+= 1` is the same three
acts without it; CPython 3.10 and later look for a reason to switch threads only at calls and at the
ends of loops, so there it comes out right by luck of the interpreter, which promises nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol


class Cell(Protocol):
    """A place for one number."""

    value: int


class Own:
    """A number in the memory of this process."""

    value = 0


def add_by_step(cell: Cell, steps: int, lock: Any, gate: Any) -> None:  # noqa: ANN401 (of threads or processes)
    """Add one, steps times, once all workers are there: read, let others run, write."""
    gate.wait()
    for _ in range(steps):
        with lock or contextlib.nullcontext():
            value = cell.value
            time.sleep(0)
            cell.value = value + 1


def add_at_once(cell: Cell, steps: int, lock: Any, gate: Any) -> None:  # noqa: ANN401 (likewise)
    """Add one, steps times, in one statement."""
    gate.wait()
    for _ in range(steps):
        with lock or contextlib.nullcontext():
            cell.value += 1


class Counting:
    """Some workers, who each take so many steps.

    Args:
        workers: how many, for each counter anew.
        steps: how many each of them takes.
    """

    def __init__(self, workers: int, steps: int) -> None:
        self._workers, self._steps = workers, steps
        self._spawning = multiprocessing.get_context("spawn")

    def all_ways(self) -> list[dict[str, object]]:
        """Return the fields of `fleetrun.findings.multiprogramming.CounterRun` for each way."""
        new = self._spawning
        return [
            self._threads(lock=None),
            self._threads(lock=threading.Lock()),
            self._threads(lock=None, add=add_at_once),
            self._processes("separate", Own(), lock=None),
            self._processes("shared", new.RawValue("l", 0), lock=None),
            self._processes("shared", new.RawValue("l", 0), lock=new.Lock()),
        ]

    def _threads(self, *, lock: Any, add: Callable[..., None] = add_by_step) -> dict[str, object]:  # noqa: ANN401
        gate = threading.Barrier(self._workers)
        counted = self._counted(threading.Thread, Own(), lock, gate, add)
        return self._fields("threads", "shared", lock, add, counted)

    def _processes(self, memory: str, cell: Any, *, lock: Any) -> dict[str, object]:  # noqa: ANN401
        gate = self._spawning.Barrier(self._workers)
        counted = self._counted(self._spawning.Process, cell, lock, gate, add_by_step)
        return self._fields("processes", memory, lock, add_by_step, counted)

    def _counted(
        self,
        start: Callable[..., Any],
        cell: Cell,
        lock: Any,  # noqa: ANN401
        gate: Any,  # noqa: ANN401
        add: Callable[..., None],
    ) -> int:
        """Let the workers add, and return what this process finds in the counter in the end."""
        arguments = (cell, self._steps, lock, gate)
        begun = [start(target=add, args=arguments) for _ in range(self._workers)]
        for worker in begun:
            worker.start()
        for worker in begun:
            worker.join()
        return cell.value

    def _fields(
        self,
        workers: str,
        memory: str,
        lock: object,
        add: Callable[..., None],
        counted: int,
    ) -> dict[str, object]:
        return {
            "workers": workers,
            "memory": memory,
            "step": "+= 1" if add is add_at_once else "read, switch, write",
            "lock": lock is not None,
            "expected": self._workers * self._steps,
            "counted": counted,
        }


if __name__ == "__main__":
    import json

    ways = Counting(int(sys.argv[1]), int(sys.argv[2])).all_ways()
    print(json.dumps(ways))  # noqa: T201 (stdout is the parent's pipe)
