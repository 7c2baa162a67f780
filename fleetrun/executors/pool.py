"""The inner executor: a pool of threads, the same in this process and in a worker process.

orders ─► do, in each thread ─► emit ─┬─► Feed ─► the caller             (this process)
                                         └─► Outbox ─► the supervisor   (a worker process)
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Thread

from fleetrun.errors import Cancelled
from fleetrun.events import Emit, Event, Finished, Started
from fleetrun.executors.drive import CANCELLED
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.mode import Plan
from fleetrun.job import Job, run_job
from fleetrun.results import not_run
from fleetrun.session import Cancel, Connect

_FEED_EVENTS = 128
_STACK_BYTES = 256 * 1024
"""For each thread that works on a host, where Linux gives 8 MiB of address space. Since 3.11 calls
of Python's need none of it; of eight threads that logged in none used more than 36 KiB."""

_GLANCE_S = 0.2
"""How often a wait for events looks whether the run was cancelled, when nothing happens at all."""

_STUCK = Cancelled("it did not end when the run was cancelled, and was left behind")


class Latch:
    """Falls once, and from then on no job is begun: for the threads of one process."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def fall(self, reason: str) -> None:
        """Let no job be begun any more; those that come all the same end for that reason."""
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Order:
    """A job that is to be done, unless its run is cancelled or its latch has fallen by then."""

    job: Job
    cancel: Cancel
    latch: Latch


Orders = queue.SimpleQueue[Order | None]
"""Orders for whichever thread is free; each None ends one thread."""


def do(order: Order, connect: Connect, emit: Emit) -> None:
    """Do one job in the calling thread: `Started`, whatever happens, `Finished`."""
    job, cancel = order.job, order.cancel
    reason = CANCELLED if cancel.pressed else order.latch.reason
    if reason is not None:
        emit(Finished(result=not_run(job.host.name, reason)))
        return
    emit(Started(host=job.host.name, at_s=time.monotonic()))
    emit(Finished(result=run_job(job, connect, emit, cancel)))


def start_threads(count: int, orders: Orders, connect: Connect, emit: Emit) -> list[Thread]:
    """Start threads that do jobs until there are no more, and return them.

    There are fewer than count, or none, where the operating system refuses more. They are daemons:
    a program that ends in the middle of a run is not held up by hosts that do not answer.
    """

    def work() -> None:
        while (order := orders.get()) is not None:
            do(order, connect, emit)

    threads: list[Thread] = []
    with _small_stacks(), contextlib.suppress(RuntimeError):  # can't start new thread
        for number in range(1, count + 1):
            thread = Thread(target=work, name=f"fleetrun-{number}", daemon=True)
            thread.start()
            threads.append(thread)
    return threads


@contextlib.contextmanager
def _small_stacks() -> Iterator[None]:
    """Give the threads that are started meanwhile small stacks, and later ones what they had."""
    before = threading.stack_size(_STACK_BYTES)
    try:
        yield
    finally:
        threading.stack_size(before)


class Feed:
    """Events on their way from many threads to one, in order, a bounded number of them.

    Two simple queues, one of events and one of the room that is left: unlike `queue.Queue` they
    hold no lock that a `KeyboardInterrupt` in the consumer could leave locked.
    """

    def __init__(self, limit: int) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._abandoned = False
        for _ in range(limit):
            self._room.put(None)

    def put(self, event: Event) -> None:
        """Add an event; wait for room first. Drops it when nobody will ever get it."""
        self._room.get()
        if self._abandoned:
            self._room.put(None)  # for the next one who waits
        else:
            self._events.put(event)

    def get(self, timeout_s: float) -> Event | None:
        """Return the next event; None when none came within that many seconds."""
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._room.put(None)
        return event

    def abandon(self) -> None:
        """Get no more: whoever waits to put an event goes on."""
        self._abandoned = True
        self._room.put(None)


class Pool:
    """The `Engine` of modes without worker processes.

    As many jobs are given out as there are threads, and the next one only when the caller has had
    the end of an earlier one and asks for more: a caller that stops there has begun no other.
    """

    def __init__(self, plan: Plan, ledger: Ledger, connect: Connect, cancel: Cancel) -> None:
        self._ledger = ledger
        self._connect = connect
        self._cancel = cancel
        self._given = 0
        self._killed = False
        self._orders: Orders = queue.SimpleQueue()
        self._feed = Feed(_FEED_EVENTS)
        self._latch = Latch()
        self._threads = start_threads(plan.width, self._orders, connect, self._feed.put)

    def step(self, patience_s: float | None) -> list[Event]:
        """Give out jobs and return the next event of any thread."""
        if not self._threads:
            return self._do_one_here()
        self._give_out()
        if refused := self._ledger.refused():
            return refused
        event = self._feed.get(self._wait_s(patience_s))
        if event is not None:
            self._given -= isinstance(event, Finished)
            return [event]
        return self._ledger.lost(_STUCK) if self._killed else []

    def stop(self) -> None:
        """Do nothing: the sessions watch the run's own cancel."""

    def hold(self, reason: str) -> None:
        """Let the threads begin no job any more."""
        self._latch.fall(reason)

    def kill(self) -> None:
        """Give up the jobs that ignore the cancel; a thread cannot be ended by force."""
        self._killed = True
        self._feed.abandon()

    def close(self) -> None:
        """End the threads and wait for them, but for stuck ones, which end when their job does."""
        self._feed.abandon()
        for _ in self._threads:
            self._orders.put(None)
        if not self._killed and not self._ledger.unfinished:
            for thread in self._threads:
                thread.join()

    def _give_out(self) -> None:
        while self._given < len(self._threads) and (job := self._ledger.take()) is not None:
            self._orders.put(Order(job, self._cancel, self._latch))
            self._given += 1

    def _wait_s(self, patience_s: float | None) -> float:
        if self._killed:
            return 0.0
        return _GLANCE_S if patience_s is None else min(patience_s, _GLANCE_S)

    def _do_one_here(self) -> list[Event]:
        """Do a job in the calling thread, since no other could be started; keep all its events."""
        events: list[Event] = []
        job = self._ledger.take()
        if job is not None:
            try:
                do(Order(job, self._cancel, self._latch), self._connect, events.append)
            except BaseException:  # KeyboardInterrupt: nobody will hear how this one ended
                self._ledger.give_back(job)
                raise
        return [*events, *self._ledger.refused()]
