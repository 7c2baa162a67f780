"""Makes workers of one kind, measures them, and prints what they cost as one JSON line.

    python bench.py KIND PARAMIKO MADE KEPT TRIPS

Run by path in a fresh interpreter, so that nothing but this file is there before: what fleetrun
has loaded does not weigh on the workers, and gevent stays out of the process that imports fleetrun.
A spawned process imports this file anew, so it imports little itself: an empty worker is empty.
"""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol


class Worker(Protocol):
    """A worker that has said its first word. Ended once."""

    def trip(self) -> None:
        """Hand it a job, and return when the answer is back."""

    def end(self) -> None:
        """Tell it to end, and return when it has."""


class _BehindQueues:
    """What takes jobs from one queue and puts their answers into another, until a job is None."""

    def __init__(self, jobs: Any, answers: Any) -> None:  # noqa: ANN401 (queue's or gevent's)
        self._jobs = jobs
        self._answers = answers

    def _serve(self) -> None:
        self._answers.put(0)
        while (job := self._jobs.get()) is not None:
            self._answers.put(job)

    def trip(self) -> None:
        """Hand it a job, and return when the answer is back."""
        self._jobs.put(1)
        self._answers.get()


class ThreadWorker(_BehindQueues):
    """A thread behind two queues."""

    def __init__(self) -> None:
        import queue  # noqa: PLC0415 (not in the processes' way)
        import threading  # noqa: PLC0415

        super().__init__(queue.SimpleQueue(), queue.SimpleQueue())
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._answers.get()

    def end(self) -> None:
        """Tell it to end, and return when it has."""
        self._jobs.put(None)
        self._thread.join()


class GreenletWorker(_BehindQueues):
    """A greenlet behind two of gevent's queues."""

    def __init__(self) -> None:
        import gevent  # noqa: PLC0415 (only where it is measured)
        from gevent.queue import SimpleQueue  # noqa: PLC0415

        super().__init__(SimpleQueue(), SimpleQueue())
        self._greenlet = gevent.spawn(self._serve)
        self._answers.get()

    def end(self) -> None:
        """Tell it to end, and return when it has."""
        self._jobs.put(None)
        self._greenlet.join()


class ProcessWorker:
    """A process behind a pipe, started as the context does."""

    def __init__(self, context: Any, paramiko: bool) -> None:  # noqa: FBT001, ANN401
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, paramiko))
        self._process.start()
        theirs.close()
        self._pipe.recv()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return int(self._process.pid)

    def trip(self) -> None:
        """Hand it a job, and return when the answer is back."""
        self._pipe.send(1)
        self._pipe.recv()

    def end(self) -> None:
        """Tell it to end, and return when it has."""
        self._pipe.send(None)
        self._process.join()
        self._process.close()
        self._pipe.close()


def serve(pipe: Connection, paramiko: bool) -> None:  # noqa: FBT001 (a process's argument)
    """Be a worker process: say a first word, then send back whatever comes, until None does."""
    if paramiko:
        importlib.import_module("paramiko")
    pipe.send(0)
    while (job := pipe.recv()) is not None:
        pipe.send(job)


def maker(kind: str, *, paramiko: bool) -> Callable[[], Worker]:
    """Return what makes a worker of that kind, in a program with or without paramiko.

    A thread, a greenlet and a forked process find it imported; so does one of a fork server that
    is told to import it first, as those who use one do. A spawned process imports it itself.
    """
    if paramiko and kind not in {"spawn", "forkserver"}:
        importlib.import_module("paramiko")
    match kind:
        case "thread":
            return ThreadWorker
        case "greenlet":
            return GreenletWorker
        case _:
            context = multiprocessing.get_context(kind)
            if paramiko and kind == "forkserver":
                context.set_forkserver_preload(["__main__", "paramiko"])
            return lambda: ProcessWorker(context, paramiko)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that it took."""
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s


def lives(make: Callable[[], Worker], count: int) -> Iterator[tuple[float, float]]:
    """Make and end workers, one after another; yield the seconds of both."""
    for _ in range(count):
        began_s = time.perf_counter()
        worker = make()
        made_s = time.perf_counter() - began_s
        yield made_s, timed(worker.end)


def memory(pids: Sequence[int | str]) -> tuple[int, int] | None:
    """Return the proportional and the resident memory of the processes together, in bytes."""
    totals = {"Pss": 0, "Rss": 0}
    try:
        for pid in pids:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rows:  # noqa: PTH123
                for row in rows:
                    name = row.partition(":")[0]
                    if name in totals:
                        totals[name] += int(row.split()[1]) * 1024
    except OSError:
        return None
    return totals["Pss"], totals["Rss"]


def bench(make: Callable[[], Worker], *, made: int, kept: int, trips: int) -> dict[str, object]:
    """Measure; returns the fields of `fleetrun.findings.spawn.WorkerCost` that are known here."""
    from statistics import median  # noqa: PLC0415 (not for the workers)

    make().end()  # what is started once and kept (a fork server, an event loop) is not counted
    create, destroy = zip(*lives(make, made), strict=True)
    before = memory(["self"])
    workers = [make() for _ in range(kept)]
    pids = [worker.pid for worker in workers if isinstance(worker, ProcessWorker)]
    after = memory(["self", *pids])
    round_trip_s = median(timed(workers[0].trip) for _ in range(trips))
    for worker in workers:
        worker.end()
    return {
        "made": made,
        "kept": kept,
        "create_seconds": median(create),
        "destroy_seconds": median(destroy),
        "round_trip_seconds": round_trip_s,
        **_each(before, after, kept),
    }


def _each(
    before: tuple[int, int] | None, after: tuple[int, int] | None, kept: int
) -> dict[str, float | None]:
    """Return what each of those kept has added; never less than nothing."""
    if before is None or after is None:
        return {"pss_bytes": None, "rss_bytes": None}
    pss, rss = (max(0.0, (new - old) / kept) for old, new in zip(before, after, strict=True))
    return {"pss_bytes": pss, "rss_bytes": rss}


def main(kind: str, paramiko: str, *counts: str) -> None:
    """Measure one kind and print the figures."""
    import json  # noqa: PLC0415 (not for the workers)

    made, kept, trips = map(int, counts)
    figures = bench(maker(kind, paramiko=paramiko == "paramiko"), made=made, kept=kept, trips=trips)
    print(json.dumps(figures))  # noqa: T201 (stdout is the parent's pipe)


if __name__ == "__main__":
    main(*sys.argv[1:])
