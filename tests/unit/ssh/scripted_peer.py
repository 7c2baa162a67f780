"""The other side of a socket pair: paramiko's own server, which obeys its script."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from fleetrun.session import Cancel
from fleetrun.ssh.transport import Transport, host_key_algorithms
from fleetrun.ssh.wire import Deadline, Wire

PATIENCE_S = 30.0
USER = "anybody"
PASSWORD = "open sesame"


class Server(paramiko.ServerInterface):  # type: ignore[misc]
    """Lets in whoever knows the password, and says no to every key."""

    def __init__(self, takes: str = "publickey,password") -> None:
        self.takes = takes

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return self.takes

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return int(paramiko.AUTH_FAILED)

    def check_auth_password(self, username: str, password: str) -> int:  # noqa: ARG002
        return int(paramiko.AUTH_SUCCESSFUL if password == PASSWORD else paramiko.AUTH_FAILED)


@contextmanager
def paramiko_server(server: Server | None = None) -> Iterator[socket.socket]:
    """Serve one connection; yield the client's end of it, which the caller closes."""
    ours, theirs = socket.socketpair()
    transport = paramiko.Transport(theirs)
    transport.add_server_key(paramiko.ECDSAKey.generate())
    transport.start_server(threading.Event(), server=server or Server())
    try:
        yield ours
    finally:
        ours.close()
        transport.close()
        transport.join(PATIENCE_S)


@contextmanager
def wire_to_a_socket(seconds: float | None = PATIENCE_S) -> Iterator[tuple[Wire, socket.socket]]:
    """Yield a wire and the socket at its other end."""
    ours, theirs = socket.socketpair()
    with theirs, wire_over(ours, seconds) as wire:
        yield wire, theirs


@contextmanager
def wire_over(sock: socket.socket, seconds: float | None = PATIENCE_S) -> Iterator[Wire]:
    """Yield a wire over the socket, with a deadline of so many seconds and a stop button."""
    cancel = Cancel()
    wire = Wire(sock, deadline=Deadline.after(seconds, "too slow"), cancel=cancel)
    wire.quick_ack = False  # a socket pair is not TCP
    try:
        yield wire
    finally:
        wire.close()
        cancel.close()


def ignore_phases(phase: object) -> None:
    """Take a phase and do nothing."""


@contextmanager
def connected(
    kind: type[Transport] = Transport, server: Server | None = None
) -> Iterator[Transport]:
    """Yield a transport of the given kind that has shaken hands with paramiko's server."""
    with paramiko_server(server) as sock, wire_over(sock) as wire:
        transport = kind(wire, key_types=host_key_algorithms())
        transport.handshake(ignore_phases)
        yield transport
