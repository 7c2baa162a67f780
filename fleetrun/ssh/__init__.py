"""SSH over paramiko: the only package of fleetrun that speaks it. Layer 3 of the road.

`SshConnect` is the `Connect` of real fleets. paramiko is imported when it is first called.
"""

from __future__ import annotations

from dataclasses import dataclass

from fleetrun.hosts import Host
from fleetrun.session import Cancel, OnPhase, Session


@dataclass(frozen=True, slots=True)
class SshConnect:
    """Connects to hosts over SSH. Plain data: pickles into any worker process.

    Raises what `fleetrun.session.Connect` says.
    """

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Connect and log in to the host; the caller closes the session."""
        from fleetrun.ssh.connect import connect  # noqa: PLC0415 (paramiko costs 0.2 s)

        return connect(host, on_phase, cancel)
