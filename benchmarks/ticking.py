"""Hosts in memory that write the time, as `tail -f` writes what is new. For `latency.py`.

A module of its own, since worker processes import it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from fleetrun.hosts import Host
from fleetrun.results import Phase, Stream
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase, RemoteFiles


@dataclass(frozen=True, slots=True)
class TickingConnect:
    """A `Connect` to hosts that write a line with the monotonic time again and again.

    Attributes:
        times: how often.
        pause_s: seconds between two lines.
    """

    times: int
    pause_s: float

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> TickingSession:  # noqa: ARG002
        """Connect at once."""
        return TickingSession(self, on_phase, cancel)


class TickingSession:
    """A session with such a host."""

    def __init__(self, connect: TickingConnect, on_phase: OnPhase, cancel: Cancel) -> None:
        self._connect = connect
        self._on_phase = on_phase
        self._cancel = cancel

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:  # noqa: ARG002
        """Write the lines."""
        self._on_phase(Phase.RUN)
        for _ in range(self._connect.times):
            if self._cancel.wait(self._connect.pause_s):
                break
            on_output(Stream.STDOUT, f"{time.monotonic():.6f}\n".encode())
        return CommandEnd(exit_status=0)

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        """Have none."""
        raise NotImplementedError(timeout_s)

    def close(self) -> None:
        """Do nothing."""
