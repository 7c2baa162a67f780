"""The outputs of real SSH sessions: the model reads the socket, paramiko decodes what it has read.

socket ─► model ─► SessionSource.take ─► FedLink ─► Wire ─► Transport.pump ─► channel ─► output
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from fleetrun.compare.reading.schedule import shell_script
from fleetrun.errors import SessionError, UsageError
from fleetrun.hosts import Host
from fleetrun.session import Cancel
from fleetrun.ssh.connect import log_in_to
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_WITHIN_S = 60.0
_GOODBYE_S = 1.0


class FedLink:
    """A wire's link to a socket that somebody else reads.

    It gives what it was fed. In the middle of a packet the wire waits for the rest on the socket
    itself, and then, being asked a second time without having been fed, it reads there too.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._fed = b""
        self._ended = False
        self._asked = False

    def feed(self, piece: bytes) -> None:
        """Give it what was read; an empty piece is the end."""
        self._fed += piece
        self._ended = not piece
        self._asked = False

    def recv(self, size: int, /) -> bytes:
        """Return what it was fed."""
        if self._fed or self._ended:
            piece, self._fed = self._fed[:size], self._fed[size:]
            return piece
        if not self._asked:
            self._asked = True
            raise BlockingIOError
        return self._sock.recv(size, socket.MSG_DONTWAIT)

    def send(self, data: memoryview, /) -> int:
        """Send."""
        return self._sock.send(data)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def setblocking(self, blocking: bool, /) -> None:  # noqa: FBT001 (a socket's)
        """Do nothing: whether the socket blocks is the model's business."""

    def getpeername(self) -> object:
        """Return the address of the other side."""
        return self._sock.getpeername()

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class SessionSource:
    """The output of one command in one session; a `Source`."""

    def __init__(self, transport: Transport, wire: Wire, sock: socket.socket) -> None:
        self.sock = sock
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.size_bytes = 0
        self._wire, self._transport = wire, transport
        self._link = FedLink(sock)
        self._channel = transport.open_channel_for(self._note)

    def start(self, line: str) -> None:
        """Start the command, which waits for a line before it says anything."""
        self._channel.request("exec", line)

    def go(self) -> None:
        """Send the line; from here on the model reads the socket."""
        self._channel.send_all(b"go\n")
        self._before = self._wire.carry_on_with(self._link)

    def take(self, piece: bytes) -> bool:
        """Decode what was read; the end is the host's closing of the channel."""
        self._link.feed(piece)
        while not self._channel.closed and self._wire.readable:
            self._transport.pump()
        return self._channel.closed or not piece

    def give_back(self) -> None:
        """Let the wire read the socket itself again."""
        self.sock.setblocking(False)
        self._wire.carry_on_with(self._before)

    def _note(self, _kind: int, data: bytes) -> None:
        self.last_s = time.monotonic()
        self.first_s = self.first_s or self.last_s
        self.size_bytes += len(data)


class Sessions:
    """Sessions that stay open, for one reader after another. Used by one thread; entered.

    Raises what logging in raises, and `UsageError` for a host that is reached through another:
    its output does not come over a socket of its own.
    """

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = hosts
        self._cancel = Cancel()
        self._open: list[tuple[Transport, Wire, socket.socket]] = []

    def __enter__(self) -> Self:
        try:
            for host in self._hosts:
                self._log_in(host)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for transport, wire, _ in self._open:
            wire.deadline = Deadline.after(_GOODBYE_S, "no goodbye")
            with suppress(SessionError, OSError):
                transport.say_goodbye()
            transport.close()
        self._cancel.close()

    @contextmanager
    def sources(self) -> Iterator[Sequence[SessionSource]]:
        """Yield the output of a new command in each session, begun and waiting for `go`."""
        sources = [SessionSource(*each) for each in self._open]
        for number, source in enumerate(sources):
            source.start(shell_script(number))
        yield sources
        for source in sources:
            source.give_back()

    def _log_in(self, host: Host) -> None:
        transport, wire = log_in_to(host, lambda _phase: None, self._cancel)
        wire.deadline = Deadline.after(_WITHIN_S, f"the sessions were not read in {_WITHIN_S:g} s")
        sock = wire.carry_on_with(FedLink(socket.socket()))
        wire.carry_on_with(sock)
        if not isinstance(sock, socket.socket):
            transport.close()
            raise UsageError(
                f"{host.name} is reached through another host, so its output has no socket to read"
            )
        self._open.append((transport, wire, sock))
