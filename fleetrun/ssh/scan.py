"""Collecting a host's keys, one handshake for each type that it offers, and no login."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from fleetrun.errors import ConnectError
from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase, RemoteFiles
from fleetrun.ssh.connect import meet
from fleetrun.ssh.hostkeys import host_key_of, known_name
from fleetrun.ssh.known_hosts import HostKey
from fleetrun.ssh.transport import Transport, host_key_algorithms
from fleetrun.ssh.wire import Wire

_RSA = {"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"}
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
    wanted = list(host_key_algorithms(legacy_algorithms=host.legacy_algorithms))
    keys: list[HostKey] = []
    while wanted:
        key, offered = meet(host, wanted, on_phase, cancel, _look)
        keys.append(key)
        wanted = [name for name in wanted if name in offered and not _same_key(name, key.key_type)]
    on_phase(Phase.HOSTKEY)
    return ScanSession(host, keys)


def _look(transport: Transport, wire: Wire) -> tuple[HostKey, tuple[str, ...]]:
    wire.close()
    return host_key_of(transport.host_key_blob), transport.server_key_types


def _same_key(algorithm: str, key_type: str) -> bool:
    return algorithm == key_type or (algorithm in _RSA and key_type == "ssh-rsa")
