"""Runs for callers who will not wait: in a thread of their own, with a future for what comes.

    Lane         calls, one after another ─► a future for each call        (asyncio programs)
    Background   a run's events           ─► a future for each host

The threads are daemons, as those of a pool are: a program that ends in the middle of a run is not
held up by hosts that do not answer.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from threading import Thread
from typing import Generic, TypeVar

from fleetrun.errors import FleetrunError
from fleetrun.events import Event, Finished
from fleetrun.results import Result

T = TypeVar("T")


class _Call(Generic[T]):
    """A call to be made, and the future of what it returns or raises."""

    def __init__(self, function: Callable[[], T]) -> None:
        self.future: Future[T] = Future()
        self._function = function

    def make(self) -> None:
        """Make the call, unless its future was cancelled before."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            returned = self._function()
        except BaseException as error:  # noqa: BLE001 (whoever waits for the future gets it)
            self.future.set_exception(error)
        else:
            self.future.set_result(returned)


class Lane:
    """A thread that makes calls in the order in which they come. Close it after the last one.

    Raises `FleetrunError` when no thread can be started.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        try:
            Thread(target=self._work, name="fleetrun-lane", daemon=True).start()
        except RuntimeError as error:
            raise FleetrunError(f"the run needs a thread of its own: {error}") from error

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Return at once the future of what the function will return or raise. For any thread."""
        call = _Call(function)
        self._calls.put(call.make)
        return call.future

    def close(self) -> None:
        """End the thread when it has made all calls; returns at once."""
        self._calls.put(None)

    def _work(self) -> None:
        while (make := self._calls.get()) is not None:
            make()


class Background:
    """A run in a thread of its own.

    Attributes:
        futures: for each host the future of its `Result`, in the order given. One that is
            cancelled in time keeps its host from being begun; once the host is begun, its
            `cancel` returns False, as ever. They raise what the run raises, if it does.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        self.futures: dict[str, Future[Result]] = {host: Future() for host in hosts}

    def may_begin(self, host: str) -> bool:
        """Return whether the host's future still stands; it can be cancelled no more after this."""
        future = self.futures[host]
        return future.running() or future.set_running_or_notify_cancel()

    def start(self, events: Generator[Event, None, None]) -> None:
        """Let the run go. Raises `FleetrunError` when no thread can be started."""
        lane = Lane()
        lane.call(lambda: self._follow(events))
        lane.close()

    def _follow(self, events: Generator[Event, None, None]) -> None:
        try:
            with closing(events):
                for event in events:
                    if isinstance(event, Finished) and self._is_wanted(event.host):
                        self.futures[event.host].set_result(event.result)
        except BaseException as error:  # noqa: BLE001 (each waiting caller gets it)
            for host, future in self.futures.items():
                if self._is_wanted(host):
                    future.set_exception(error)

    def _is_wanted(self, host: str) -> bool:
        """Return whether the future waits for what becomes of the host: not done, nor cancelled."""
        future = self.futures[host]
        return not future.done() and self.may_begin(host)
