"""Looking at a host's keys, without logging in."""

from __future__ import annotations

from dataclasses import dataclass

from fleetrun.events import Emit
from fleetrun.hosts import Host
from fleetrun.operations.ending import Ending
from fleetrun.session import Session, ShowsHostKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanKeys:
    """Collect the host's public keys; the result's stdout has them as lines of known_hosts.

    Needs sessions that show host keys: `fleetrun.ssh.SshScan` makes them.
    """

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:  # noqa: ARG002
        """Collect them; refused by a session of any other kind."""
        if not isinstance(session, ShowsHostKeys):
            return Ending(refused="only a fleet that connects with SshScan shows host keys")
        text = "".join(f"{line}\n" for line in session.host_keys()).encode()
        return Ending(done=True, stdout=text, stdout_bytes=len(text))
