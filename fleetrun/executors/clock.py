"""Times of another machine's monotonic clock, told in this machine's."""

from __future__ import annotations

import functools
import socket
from dataclasses import replace
from pathlib import Path

from fleetrun.events import Event, Finished, Output, PhaseReached, Started
from fleetrun.executors.wire import Ready

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def clock_name() -> str:
    """Return what tells this machine's monotonic clock from others: each boot starts a new one.

    Linux names its boots (random(4)), also to the containers on it; elsewhere it is the host name.
    """
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return socket.gethostname()


def ahead_s(ready: Ready, now_s: float) -> float:
    """Return how far a worker's clock is ahead, heard at a time of ours; 0.0 when it is the same.

    Too little by as long as its word was on its way: a few milliseconds, or half a round trip.
    """
    return 0.0 if ready.clock == clock_name() else ready.at_s - now_s


def told_here(event: Event, ahead_s: float) -> Event:
    """Return the event with its times as the clock here would have told them."""
    match event:
        case Started() | PhaseReached():
            return replace(event, at_s=event.at_s - ahead_s)
        case Finished():
            began_at_s = event.result.started_at_s
            if began_at_s is None:
                return event
            return Finished(result=replace(event.result, started_at_s=began_at_s - ahead_s))
        case Output():
            return event
