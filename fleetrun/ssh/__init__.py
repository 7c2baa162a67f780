"""SSH over paramiko: the only package of fleetrun that speaks it. Layer 3 of the road.

`SshConnect` is the `Connect` of real fleets, `AwaySshConnect` of those whose workers are on other
machines. paramiko is imported when it is first called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fleetrun.errors import AuthError, HostKeyError, UsageError
from fleetrun.home import is_away
from fleetrun.hosts import Host, KeysFrom, Secret
from fleetrun.session import Cancel, OnPhase, Session
from fleetrun.ssh.belongings import Belongings, use


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaySshConnect:
    """Connects to hosts over SSH from workers that may be on other machines. Pickles into them.

    In the process that the run belongs to, and in workers on its machine, it is as `ssh` is.

    Attributes:
        keys_from: whose keys, known_hosts and ssh_config are used.
        ssh: how it connects.
        belongings: what was read of the operator's files, to be used in the place of the worker's;
            see `gathered`. None before that, and for keys from the worker.

    A new host's key, where the host is told to accept it, is written to the operator's known_hosts
    as well, and refused if those say otherwise.
    """

    keys_from: KeysFrom
    ssh: SshConnect = SshConnect()
    belongings: Belongings | None = None

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Connect and log in to the host; the caller closes the session."""
        self._use_what_was_sent()
        return self.ssh(host, on_phase, cancel)

    def warm_up(self) -> None:
        """Unpack what was sent along, and import what sessions need."""
        self._use_what_was_sent()
        self.ssh.warm_up()

    def prepare(self, hosts: Sequence[Host]) -> None:
        """Look at the keys that will be sent; at none, where the workers have their own.

        Raises `UsageError` for the first key that cannot be used, and for a host that has nothing
        but keys of an agent, which cannot be sent. What was gathered already is not read again.
        """
        self.gathered(hosts)

    def gathered(self, hosts: Sequence[Host]) -> AwaySshConnect:
        """Return one that takes along, in memory alone, what sessions of the hosts need from here.

        For keys from the operator: to be called once before workers are started, in the process
        that the run belongs to; what changes here later is not seen by them, and what was gathered
        already is kept. From the worker nothing is taken. Raises `UsageError` as `prepare` does.
        """
        if self.keys_from is KeysFrom.WORKER or self.belongings is not None:
            return self
        from fleetrun.ssh.gathering import gather  # noqa: PLC0415

        self.ssh.prepare(hosts)
        return replace(self, belongings=gather(hosts))

    def _use_what_was_sent(self) -> None:
        if self.keys_from is KeysFrom.OPERATOR and is_away():
            if self.belongings is None:
                raise RuntimeError("it was sent to another machine without having gathered")
            use(self.belongings)


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
