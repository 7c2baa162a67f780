"""What consumes events, and how a run ends when nobody can take its output any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from fleetrun.events import Event
from fleetrun.results import Report


class Sink(Protocol):
    """Takes the events of one run, in order, then its report. Used by the main thread alone.

    Both methods raise `OSError` when what they write to is full or gone.
    """

    def take(self, event: Event) -> None:
        """Show the event, keep what is needed of it, or ignore it."""

    def close(self, report: Report) -> None:
        """Show what can be shown only at the end."""


class Sinks:
    """Several sinks as one. A sink that cannot write is dropped; the others go on.

    Args:
        sinks: the sinks, in the order in which they are given each event.
        on_broken: told each time a sink was dropped, and why.
    """

    def __init__(self, sinks: Iterable[Sink], *, on_broken: Callable[[OSError], None]) -> None:
        self._sinks = tuple(sinks)
        self._on_broken = on_broken
        self.broken = False

    def take(self, event: Event) -> None:
        """Give the event to each sink; never raises for an output that cannot be written."""
        for sink in self._sinks:
            try:
                sink.take(event)
            except OSError as error:
                self._drop(sink, error)

    def close(self, report: Report) -> None:
        """Give the report to each sink; never raises for an output that cannot be written."""
        for sink in self._sinks:
            try:
                sink.close(report)
            except OSError as error:
                self._drop(sink, error)

    def _drop(self, sink: Sink, error: OSError) -> None:
        self._sinks = tuple(other for other in self._sinks if other is not sink)
        self.broken = True
        self._on_broken(error)
