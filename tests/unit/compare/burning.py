"""Hosts that cost processor time here, as much as is asked for. Importable in worker processes."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from fleetrun.hosts import Host
from fleetrun.session import Cancel, OnPhase, Session
from fleetrun.testing import FakeConnect


@dataclass(frozen=True, slots=True)
class BurningConnect:
    """A `Connect` that keeps a processor busy for so many seconds of processor time."""

    seconds: float

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Burn, then connect to a host that works."""
        burn(self.seconds)
        return FakeConnect()(host, on_phase, cancel)


def burn(seconds: float) -> None:
    """Return when this process has used so many seconds of processor time more than now."""
    until = _used_s() + seconds
    while _used_s() < until:
        sum(range(1000))


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
