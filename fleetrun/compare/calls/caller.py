"""Somebody who calls a fleet, has work of their own, and writes down what the calls did to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from fleetrun.compare.switches import voluntary_switches
from fleetrun.results import Result

TICK_S = 0.005
"""A piece of the caller's own work is due this often."""


class Caller:
    """The caller of one run. Used by its own thread, but for `knows`, which any may call.

    Attributes:
        held_seconds: time within `held`, summed.
        ticks: pieces of own work that were done.
        looks: how often it looked.
        results: what it knows, in the order in which it came to know.
        delays_s: for each result, the seconds from the host's end until then.
        known_at_s: when it came to know the last one, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.held_seconds = 0.0
        self.ticks = 0
        self.looks = 0
        self.results: list[Result] = []
        self.delays_s: list[float] = []
        self.known_at_s = 0.0
        self._due_s = time.monotonic() + TICK_S
        self._switches = voluntary_switches()
        self._cpu_s = time.thread_time()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While it is entered, the caller can do nothing else."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.held_seconds += time.monotonic() - began_s

    def knows(self, result: Result) -> None:
        """Note that the result is known now."""
        self.known_at_s = now_s = time.monotonic()
        if result.started_at_s is not None:
            self.delays_s.append(max(0.0, now_s - result.started_at_s - result.seconds))
        self.results.append(result)

    def tick(self) -> None:
        """Do a piece of own work if one is due; what was missed while held is not made up for."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self.ticks += 1
            self._due_s = max(self._due_s, now_s) + TICK_S

    def work_for(self, seconds: float) -> None:
        """Go about own work that long; for zero, no more than what is due."""
        until_s = time.monotonic() + seconds
        self.tick()
        while (now_s := time.monotonic()) < until_s:
            time.sleep(max(0.0, min(self._due_s, until_s) - now_s))
            self.tick()

    def work_until(self, told: threading.Event) -> None:
        """Go about own work until told otherwise."""
        while not told.wait(max(0.0, self._due_s - time.monotonic())):
            self.tick()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the caller's thread, since it was made."""
        return time.thread_time() - self._cpu_s

    @property
    def wake_ups(self) -> int | None:
        """How often its thread has waited and was woken since, but for its ticks."""
        now = voluntary_switches()
        if now is None or self._switches is None:
            return None
        return max(0, now - self._switches - self.ticks)
