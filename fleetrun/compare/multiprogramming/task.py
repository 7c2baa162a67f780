"""Tasks that alternate waiting and computing, and write down when they did what, and where.

    python task.py HOW TASKS FIRST ROUNDS UNITS LOOPS WAIT_S STAGGER_S PROCESSORS

HOW is `together` (a thread for each task) or `after` (one after another in one thread). PROCESSORS
is `0,1`, or `-` for any. It says `ready`, waits for a line, runs, and prints one JSON line. Run by
path, as a process of its own, so that nothing else is in it and pinning it pins nothing else.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable

_SLACK_S = 0.0005
"""What a wait or a unit may take longer before that counts as having been ready and held up."""

Row = tuple[str, float, float, int | None]
"""A state, its begin and end on the monotonic clock, and the processor."""


def work(loops: int) -> int:
    """Compute: a sum, in Python."""
    total = 0
    for number in range(loops):
        total += number * number
    return total


def processor_teller() -> Callable[[], int | None]:
    """Return what tells on which processor the calling thread runs; None where that is unknown."""
    try:
        tell: Callable[[], int] = ctypes.CDLL(None).sched_getcpu
        tell()
    except (AttributeError, OSError, TypeError):  # no such call; a system with another loader
        return lambda: None
    return tell


class Task:
    """One task, run once by one thread.

    Attributes:
        rows: what it did, in the order of time.
        cpu_seconds: processor time that it took.
        gave_up, pushed_off: its context switches, voluntary and not; 0 where nobody counts them.
    """

    def __init__(
        self, *, rounds: int, units: int, loops: int, wait_s: float, first_wait_s: float
    ) -> None:
        self._waits = [first_wait_s, *[wait_s] * (rounds - 1)]
        self._units, self._loops = units, loops
        self._processor = processor_teller()
        self.rows: list[Row] = []
        self.cpu_seconds = 0.0
        self.gave_up = self.pushed_off = 0
        self._at_s = self._cpu_s = 0.0

    def run(self) -> None:
        """Wait, compute, wait, compute, and so on."""
        cpu_s = self._cpu_s = time.thread_time()
        self._at_s = time.monotonic()
        before = _switches()
        for wait_s in self._waits:
            self._wait(wait_s)
            for _ in range(self._units):
                self._compute()
        after = _switches()
        self.cpu_seconds = time.thread_time() - cpu_s
        self.gave_up, self.pushed_off = (new - old for old, new in zip(before, after, strict=True))

    def _wait(self, wait_s: float) -> None:
        begin_s = self._at_s
        time.sleep(wait_s)
        self._at_s, self._cpu_s = time.monotonic(), time.thread_time()
        due_s = min(self._at_s, begin_s + wait_s)
        if self._at_s - due_s < _SLACK_S:
            due_s = self._at_s
        self._add("waiting", begin_s, due_s, None)
        self._add("ready", due_s, self._at_s, None)

    def _compute(self) -> None:
        """Do one unit; what it took longer than its processor time, the task was held up before.

        Its time begins where that before has ended: no moment is left out.
        """
        begin_s, cpu_s = self._at_s, self._cpu_s
        work(self._loops)
        self._at_s, self._cpu_s = time.monotonic(), time.thread_time()
        held_up_s = self._at_s - begin_s - (self._cpu_s - cpu_s)
        on_s = begin_s + held_up_s if held_up_s > _SLACK_S else begin_s
        self._add("ready", begin_s, on_s, None)
        self._add("computing", on_s, self._at_s, self._processor())

    def _add(self, state: str, begin_s: float, end_s: float, processor: int | None) -> None:
        """Write it down, as one with the row before when that was the same."""
        if end_s <= begin_s:
            return
        if self.rows and (self.rows[-1][0], self.rows[-1][3]) == (state, processor):
            begin_s = self.rows.pop()[1]
        self.rows.append((state, begin_s, end_s, processor))


def _switches() -> tuple[int, int]:
    try:
        import resource  # noqa: PLC0415 (there is none on Windows)

        usage = resource.getrusage(resource.RUSAGE_THREAD)
    except (ImportError, AttributeError):  # Linux alone counts them by thread
        return 0, 0
    return usage.ru_nvcsw, usage.ru_nivcsw


def pin(processors: str) -> None:
    """Let this process run on these processors alone."""
    if processors != "-":
        os.sched_setaffinity(0, set(map(int, processors.split(","))))


def run_all(how: str, tasks: list[Task]) -> None:
    """Run the tasks, one after another or each in a thread."""
    if how == "after":
        for task in tasks:
            task.run()
        return
    first, *others = tasks
    threads = [threading.Thread(target=task.run) for task in others]
    for thread in threads:
        thread.start()
    first.run()
    for thread in threads:
        thread.join()


def main(how: str, *given: str) -> None:
    """Be ready, wait for the word, run the tasks, and print what they did."""
    count, first, rounds, units, loops = map(int, given[:5])
    wait_s, stagger_s = map(float, given[5:7])
    pin(given[7])
    tasks = [
        Task(
            rounds=rounds,
            units=units,
            loops=loops,
            wait_s=wait_s,
            first_wait_s=stagger_s * number if how == "together" else wait_s,
        )
        for number in range(first, first + count)
    ]
    print("ready", flush=True)  # noqa: T201 (stdout is the parent's pipe)
    sys.stdin.readline()
    run_all(how, tasks)
    told = [[task.rows, task.cpu_seconds, task.gave_up, task.pushed_off] for task in tasks]
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
