r"""Everything that goes wrong on the way to a host, on purpose: for tests, yours and fleetrun's.

    with FaultProxy(("127.0.0.1", 22), cut_after_bytes=4000) as proxy:
        host = Host(name="web1", address="127.0.0.1", port=proxy.port)
        report = Fleet([host]).exec("uptime")
    assert report["web1"].outcome in {Outcome.UNREACHABLE, Outcome.LOST}

- `FaultProxy` stands between a client and a real server: it delays, slows, cuts, stalls and flips.
- `ScriptedServer` says whatever a script says on a plain socket, from silence to 4 GiB packets;
  the scripts are in `fleetrun.faults.scripts`.
- `OffScriptServer` speaks SSH correctly up to one point, and then does not; what it can do there
  is in `fleetrun.faults.answers`. It wants paramiko, and is imported when it is first used.
- `FaultyResolver` wraps a `Connect` so that names resolve to what a test says, or never.
- `SteppingClock` wraps a `Connect` so that the wall clock leaps, `FullDisk` so that no file grows.

All of it listens on 127.0.0.1 alone, lives in daemon threads, is a context manager, and leaves no
thread and no descriptor behind. It stands beside the road: nothing on the road imports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleetrun.faults.connects import FaultyResolver as FaultyResolver
from fleetrun.faults.connects import FullDisk as FullDisk
from fleetrun.faults.connects import SteppingClock as SteppingClock
from fleetrun.faults.proxy import Direction as Direction
from fleetrun.faults.proxy import FaultProxy as FaultProxy
from fleetrun.faults.servers import ScriptedServer as ScriptedServer

if TYPE_CHECKING:
    from fleetrun.faults.off_script import OffScriptServer as OffScriptServer

__all__ = [
    "Direction",
    "FaultProxy",
    "FaultyResolver",
    "FullDisk",
    "OffScriptServer",
    "ScriptedServer",
    "SteppingClock",
]


def __getattr__(name: str) -> object:
    """Import the one name that needs paramiko when it is first used (PEP 562)."""
    if name != "OffScriptServer":
        raise AttributeError(f"module 'fleetrun.faults' has no attribute {name!r}")
    from fleetrun.faults.off_script import OffScriptServer  # noqa: PLC0415

    return OffScriptServer
