"""A way through a jump host to one host behind it: a channel there, a socket pair here.

    session's Wire ─► TunnelEnd ═ socket pair ═ Tunnel ─► channel ─► jump host ─► host
    (session's thread)                         (bastion's thread)

Either side only ever waits for its own end: the session as for any socket, with its deadline; the
bastion for all its tunnels at once. Neither can fill memory: the pair takes what it has room for,
and what it does not take is not granted again to the other side.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable

from fleetrun.errors import Cancelled, ConnectError, ConnectionLost, DeadlinePassed
from fleetrun.readiness import wait_ready
from fleetrun.session import Cancel
from fleetrun.ssh.channel import DATA_PACKET_BYTES, Channel
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline

OPENED = b"\n"
"""What the bastion's end writes first, once the jump host has opened the way."""

RESOURCE_SHORTAGE = 4
"""RFC 4254, section 5.1: the jump host has no room for another channel, for now."""

_RETRY_S = 0.2


class Tunnel:
    """The bastion's end. Made by any thread, then used by the bastion's alone.

    Args:
        sock: the bastion's end of the pair; closed by `end`.
        address: where it leads, as the jump host is to resolve it.
        port: likewise.
        deadline: when it has to be open.

    Attributes:
        stirred: whether the session has written something or hung up since it was last looked at.
        over: whether it has ended.
        reason: why it never opened or did not end by itself; None when it did.
    """

    def __init__(self, sock: socket.socket, address: str, port: int, deadline: Deadline) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._target = (address, port)
        self._deadline = deadline
        self._pending: deque[bytes] = deque()
        self._channel: Channel | None = None
        self._announced = False
        self._hung_up = False
        self._retry_at_s = 0.0
        self.stirred = False
        self.over = False
        self.reason: str | None = None

    def fileno(self) -> int:
        """Return the descriptor of the bastion's end."""
        return self._sock.fileno()

    @property
    def writes(self) -> bool:
        """Whether it has data for the session that the pair had no room for."""
        return bool(self._pending)

    @property
    def opened(self) -> bool:
        """Whether the jump host has opened it."""
        return self._announced

    @property
    def waits_s(self) -> float | None:
        """Seconds until it has to be moved even if nothing happens; None when it need not be."""
        return None if self._channel else max(0.0, self._retry_at_s - time.monotonic())

    @property
    def _room(self) -> int:
        """How much may be sent; while it is not open, a byte, so as to see the session hang up."""
        channel = self._channel
        if channel is None or not channel.opened:
            return 1
        return 0 if channel.closed else channel.send_window

    def move(self, transport: Transport, *, others: bool) -> None:
        """Go on as far as possible without waiting.

        Args:
            transport: the bastion's connection.
            others: whether other tunnels are open, so that room may come.
        """
        channel = self._channel
        if channel is None:
            if time.monotonic() >= self._retry_at_s:
                self._open(transport)
        elif channel.refused is not None:
            self._take_refusal(channel, others=others)
        elif channel.opened:
            if not self._announced:
                self._announced = True
                self._pending.appendleft(OPENED)
                channel.backlog_bytes += len(OPENED)
            self._to_session(channel)
        if self.stirred and not self.over:
            self._from_session(transport)

    def end(self, reason: str | None) -> None:
        """Close both directions; the session is told the reason, if there is one."""
        if not self.over:
            self.over = True
            self.reason = reason
            self._sock.close()  # first: the connection may be gone, and say so
            if self._channel is not None:
                self._channel.close()

    def _open(self, transport: Transport) -> None:
        address, port = self._target
        self._channel = transport.begin_channel(
            "direct-tcpip", self._take, address, port, "127.0.0.1", 0
        )

    def _take_refusal(self, channel: Channel, *, others: bool) -> None:
        busy = channel.refusal_code == RESOURCE_SHORTAGE and others
        if busy and self._deadline.remaining_s > _RETRY_S:
            self._channel = None
            self._retry_at_s = time.monotonic() + _RETRY_S
        else:
            address, port = self._target
            self.end(f"it opens no way to {address}:{port}: {channel.refused}")

    def _take(self, kind: int, data: bytes) -> None:
        if kind == 0 and self._channel is not None and not self.over:
            self._pending.append(data)
            self._channel.backlog_bytes += len(data)

    def _to_session(self, channel: Channel) -> None:
        try:
            while self._pending:
                sent = self._sock.send(self._pending[0])
                channel.backlog_bytes -= sent
                rest = self._pending.popleft()[sent:]
                if rest:
                    self._pending.appendleft(rest)
        except BlockingIOError:
            pass
        except OSError:  # the session has hung up
            self._pending.clear()
            self._hung_up = True
        if self._hung_up or (channel.ended and not self._pending):
            self.end(None)
        else:
            channel.grant()

    def _from_session(self, transport: Transport) -> None:
        """Send what the session has written, as far as the window goes; stay stirred beyond it."""
        while self._room > 0 and not transport.in_kex:
            self.stirred = False  # before the look: what is written after it stirs again
            try:
                data = self._sock.recv(min(DATA_PACKET_BYTES, self._room))
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.stirred = True
            if not data or self._channel is None:
                self.end(None)
                return
            self._channel.send(data)


class TunnelEnd:
    """The session's end: a `fleetrun.ssh.wire.Link`. Used by the session's thread.

    Args:
        sock: the session's end of the pair.
        tunnel: the other end.
        stir: wakes the bastion; called whenever something was written, and at the end.
        release: called once, when it is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        tunnel: Tunnel,
        *,
        stir: Callable[[], None],
        release: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._tunnel = tunnel
        self._stir = stir
        self._release = release
        self._closed = False

    def await_opening(self, name: str, deadline: Deadline, cancel: Cancel) -> None:
        """Wait until the way is open.

        Raises `ConnectError` when the jump host of that name does not open it, `DeadlinePassed` or
        `Cancelled`.
        """
        wait_ready([self._sock.fileno(), cancel.fileno()], timeout_s=deadline.remaining_s)
        if cancel.pressed:
            raise Cancelled(f"cancelled while it was connected to via {name}")
        try:
            begun = self._sock.recv(len(OPENED))
        except BlockingIOError as error:
            raise DeadlinePassed(f"via {name}: {deadline.sentence}") from error
        except OSError:
            begun = b""
        if not begun:
            raise ConnectError(f"via {name}: {self._tunnel.reason or 'its connection ended'}")

    def recv(self, size: int) -> bytes:
        """Return what has come; at the end b"", or the reason as `ConnectionLost`."""
        try:
            data = self._sock.recv(size)
        except ConnectionError:  # the bastion ended without having read all that we sent
            data = b""
        if not data and self._tunnel.reason is not None:
            raise ConnectionLost(self._tunnel.reason)
        return data

    def send(self, data: memoryview) -> int:
        """Send what there is room for, and tell the bastion."""
        sent = self._sock.send(data)
        self._tell()
        return sent

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock.fileno()

    def setblocking(self, blocking: bool) -> None:  # noqa: FBT001 (a socket's)
        """Do nothing: it never blocks."""

    def getpeername(self) -> object:
        """Return the address of the other end."""
        return self._sock.getpeername()

    def close(self) -> None:
        """Hang up; safe to call twice."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                self._sock.close()
            self._tell()
            self._release()

    def _tell(self) -> None:
        self._tunnel.stirred = True
        self._stir()
