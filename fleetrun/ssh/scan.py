"""Collecting a host's keys, one handshake for each type that it offers, and no login."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from fleetrun.errors import ConnectError
from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase, RemoteFiles
from fleetrun.ssh.connect import meet
from fleetrun.ssh.hostkeys import host_key_of, known_name
from fleetrun.ssh.known_hosts import HostKey
from fleetrun.ssh.transport import Transport, host_key_algorithms
from fleetrun.ssh.wire import Wire

_RSA = frozenset({"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"})
"""One key behind several signature algorithms (RFC 8332)."""


class ScanSession:
    """A host's keys, collected; a `Session` that can do nothing else."""

    def __init__(self, host: Host, keys: Sequence[HostKey]) -> None:
        self._host = host
        self._keys = keys

    def host_keys(self) -> tuple[str, ...]:
        """Return the keys as lines of known_hosts."""
        name = known_name(self._host)
        return tuple(
            f"{name} {key.key_type} {base64.b64encode(key.blob).decode()}" for key in self._keys
        )

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:  # noqa: ARG002
        """Refuse: nobody is logged in."""
        raise ConnectError("nobody is logged in: only the host's keys were looked at")

    def files(self, *, timeout_s: float | None) -> RemoteFiles:  # noqa: ARG002
        """Refuse: nobody is logged in."""
        raise ConnectError("nobody is logged in: only the host's keys were looked at")

    def close(self) -> None:
        """Do nothing: every handshake's connection is closed already."""


def scan(host: Host, on_phase: OnPhase, cancel: Cancel) -> ScanSession:
    """Collect all keys of the host; raises what `fleetrun.session.Connect` says."""
    wanted = host_key_algorithms(legacy_algorithms=host.legacy_algorithms)
    keys: list[HostKey] = []
    while wanted:
        look = meet(host, wanted, on_phase, cancel, _look)
        keys.append(look.key)
        wanted = tuple(filter(look.leaves_open, wanted))
    on_phase(Phase.HOSTKEY)
    return ScanSession(host, keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One handshake: the key that it showed, and what else the host has to show."""

    key: HostKey
    algorithm: str
    offered: tuple[str, ...]

    def leaves_open(self, algorithm: str) -> bool:
        """Tell whether the host may have another key, for that algorithm.

        The algorithm that was agreed on is done with, whatever key came: a host that shows the key
        of another type could keep us asking for ever.
        """
        shown = {self.algorithm, self.key.key_type}
        if shown & _RSA:
            shown |= _RSA
        return algorithm in self.offered and algorithm not in shown


def _look(transport: Transport, wire: Wire) -> _Look:
    wire.close()
    return _Look(
        key=host_key_of(transport.host_key_blob),
        algorithm=transport.host_key_type,
        offered=transport.server_key_types,
    )
