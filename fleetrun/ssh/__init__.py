"""SSH over paramiko: the only package of fleetrun that speaks it. Layer 3 of the road.

`SshConnect` is the `Connect` of real fleets. paramiko is imported when it is first called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import AuthError, HostKeyError, UsageError
from fleetrun.hosts import Host, Secret
from fleetrun.session import Cancel, OnPhase, Session


@dataclass(frozen=True, slots=True)
class SshConnect:
    """Connects to hosts over SSH. Plain data: pickles into any worker process.

    Raises what `fleetrun.session.Connect` says.

    Attributes:
        alive_interval_s: seconds of silence after which a host is asked for a sign of life; None
            means what each host says of it.
        alive_count: how many such questions may go unanswered before it is given up; likewise.
    """

    alive_interval_s: float | None = None
    alive_count: int | None = None

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Connect and log in to the host; the caller closes the session."""
        from fleetrun.ssh.connect import connect  # noqa: PLC0415 (paramiko costs 0.2 s)

        return connect(
            host,
            on_phase,
            cancel,
            alive_interval_s=self.alive_interval_s,
            alive_count=self.alive_count,
        )

    def warm_up(self) -> None:
        """Import paramiko and what is built on it."""
        import fleetrun.ssh.connect  # noqa: F401, PLC0415

    def prepare(self, hosts: Sequence[Host]) -> None:
        """Look at the private keys that the hosts name, and open the encrypted ones.

        Raises `UsageError` for the first that cannot be used, before any host is contacted.
        """
        from fleetrun.ssh.keyfile import look_at_keys  # noqa: PLC0415

        encrypted = {key.path for key in look_at_keys(hosts) if key.encrypted}
        for host in hosts if encrypted else ():
            if host.private_key is not None and Path(host.private_key).expanduser() in encrypted:
                _open_key(host.private_key, host.key_passphrase)


@dataclass(frozen=True, slots=True)
class SshScan:
    """Looks at the keys of hosts without logging in; for the operation `ScanKeys` alone.

    Plain data: pickles into any worker process.
    """

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Collect the host's keys; raises what `fleetrun.session.Connect` says."""
        from fleetrun.ssh.scan import scan  # noqa: PLC0415 (paramiko costs 0.2 s)

        return scan(host, on_phase, cancel)

    def prepare(self, hosts: Sequence[Host]) -> None:
        """Read the known_hosts files that the keys will be held against.

        Raises `UsageError` for the first that is there and cannot be read.
        """
        from fleetrun.ssh.known_hosts import read_known_hosts  # noqa: PLC0415

        for path in dict.fromkeys(path for host in hosts for path in host.key_files):
            try:
                read_known_hosts(path)
            except HostKeyError as error:
                raise UsageError(str(error)) from error


def _open_key(path: str, passphrase: Secret | None) -> None:
    from fleetrun.ssh.keys import read_key  # noqa: PLC0415 (only an encrypted key needs paramiko)

    try:
        read_key(path, passphrase)
    except AuthError as error:
        raise UsageError(str(error)) from error
