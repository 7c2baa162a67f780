"""A bad way to a good server: a TCP proxy that delays, slows, cuts, stalls and flips.

client ─► listener ─► Flow to the server ─► target
       ◄─ Flow to the client ◄─

One daemon thread moves the bytes of all connections; nothing in it blocks, but for a moment the
connecting to the target.
"""

from __future__ import annotations

import contextlib
import enum
import math
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

_READ_BYTES = 64 * 1024
_MAX_WAITING_BYTES = 1024 * 1024
"""Bytes that a flow holds before it stops reading; what is over waits in the sender."""

_CONNECT_TIMEOUT_S = 5.0
"""How long the target may take to accept; it is on this machine as a rule."""

_SLICE_S = 0.02
"""With a rate, so many seconds' worth of bytes go at once."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for zero seconds: closing sends RST and no FIN (socket(7))."""


class Direction(enum.StrEnum):
    """Which bytes a proxy's faults apply to."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"
    BOTH = "both"
    """Both: they share the rate, and offsets count the bytes of both in the order of passing."""


OnPassed = Callable[[Direction, bytes], None]
"""Told of each piece once it has passed, by the proxy's thread; the direction is never BOTH."""


class FaultProxy:
    """A TCP proxy on 127.0.0.1 that harms what passes through it. A context manager.

    Without faults it only forwards and counts. The faults apply to each connection by itself, and
    to the bytes of one direction or of both; offsets count from 0 at the connection's beginning.

    Args:
        target: address and port to forward to.
        direction: the bytes that the faults below apply to.
        delay_s: seconds that each byte is held up on its way.
        rate_bytes_s: bytes a second that pass; None for as many as can.
        cut_after_bytes: the connection is ended on both sides once so many bytes have passed; 0
            ends it as soon as it is made; None never does.
        stall_after_bytes: once so many bytes have passed, no further one does, nor an end of data,
            and both connections stay open.
        flip_byte_at: offset of a byte whose lowest bit is turned over.
        rst: whether a cut sends RST; else it sends FIN. What the receiver's window had no room for
            is lost with it.
        on_passed: told of each piece once it has passed, as it arrives.

    Attributes:
        port: where it listens; 0 before `__enter__`.
        connections: how many connections it took.
        bytes_to_server: bytes that passed to the server, of all connections.
        bytes_to_client: likewise to the client.

    `stall` and `cut` may be called from any thread. The attributes may be read from any, and are
    final once the `with` is left; until then a receiver may have a piece before it is counted.
    """

    def __init__(
        self,
        target: tuple[str, int],
        *,
        direction: Direction = Direction.BOTH,
        delay_s: float = 0.0,
        rate_bytes_s: float | None = None,
        cut_after_bytes: int | None = None,
        stall_after_bytes: int | None = None,
        flip_byte_at: int | None = None,
        rst: bool = False,
        on_passed: OnPassed | None = None,
    ) -> None:
        self._target = target
        self._direction = direction
        self._delay_s = delay_s
        self._rate_bytes_s = math.inf if rate_bytes_s is None else rate_bytes_s
        self._cut_after_bytes = cut_after_bytes
        self._stall_after_bytes = stall_after_bytes
        self._flip_byte_at = flip_byte_at
        self._rst = rst
        self._on_passed = on_passed
        self._links: list[_Link] = []
        self._orders: deque[Callable[[], None]] = deque()
        self._closing = False
        self.port = 0
        self.connections = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0

    def __enter__(self) -> Self:
        """Start to listen."""
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self._bell, self._ear = socket.socketpair()
        self._ear.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._thread = threading.Thread(
            target=self._work, name=f"fault proxy {self.port}", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections and the thread."""
        self._order(self._end)
        self._thread.join()
        self._bell.close()

    def stall(self) -> None:
        """From now on let nothing pass, in either direction, of the connections there are."""
        self._order(self._stall_all)

    def cut(self) -> None:
        """End the connections that there are now, as `rst` says."""
        self._order(self._drop_all)

    def _order(self, order: Callable[[], None]) -> None:
        """Have the thread do it."""
        self._orders.append(order)
        with contextlib.suppress(OSError):  # after the end there is nobody to ring for
            self._bell.send(b"x")

    def _end(self) -> None:
        self._closing = True

    # --- in the thread -------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._closing:
                self._step()
        finally:
            self._drop_all()
            self._selector.close()
            self._listener.close()
            self._ear.close()

    def _step(self) -> None:
        now = time.monotonic()
        wake_s = min((link.wish(self._selector, now) for link in self._links), default=math.inf)
        ready = self._selector.select(None if wake_s == math.inf else max(0.0, wake_s - now))
        ready_files = {key.fileobj for key, _ in ready}
        if self._ear in ready_files:
            self._ear.recv(_READ_BYTES)
        while self._orders:  # before who connects: an order is for those who are here already
            self._orders.popleft()()
        if self._listener in ready_files:
            self._accept()
        for link in list(self._links):
            if not link.move():
                self._drop(link)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # it left before it was taken
            return
        self.connections += 1
        try:
            server = socket.create_connection(self._target, _CONNECT_TIMEOUT_S)
        except OSError:
            client.close()
            return
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._links.append(_Link(client, server, self._flows(client, server)))

    def _flows(self, client: socket.socket, server: socket.socket) -> tuple[_Flow, _Flow]:
        harmed = _Meter(
            delay_s=self._delay_s,
            rate_bytes_s=self._rate_bytes_s,
            cut_after_bytes=self._cut_after_bytes,
            stall_after_bytes=self._stall_after_bytes,
            flip_byte_at=self._flip_byte_at,
        )
        to_server = harmed if self._direction is not Direction.TO_CLIENT else _Meter()
        to_client = harmed if self._direction is not Direction.TO_SERVER else _Meter()
        return (
            _Flow(client, server, to_server, lambda data: self._note(Direction.TO_SERVER, data)),
            _Flow(server, client, to_client, lambda data: self._note(Direction.TO_CLIENT, data)),
        )

    def _note(self, direction: Direction, data: bytes) -> None:
        if direction is Direction.TO_SERVER:
            self.bytes_to_server += len(data)
        else:
            self.bytes_to_client += len(data)
        if self._on_passed is not None:
            self._on_passed(direction, data)

    def _stall_all(self) -> None:
        for link in self._links:
            link.stall()

    def _drop_all(self) -> None:
        for link in list(self._links):
            self._drop(link)

    def _drop(self, link: _Link) -> None:
        self._links.remove(link)
        link.close(self._selector, rst=self._rst)


class _Meter:
    """The faults of one connection, and how many bytes they have counted."""

    def __init__(
        self,
        *,
        delay_s: float = 0.0,
        rate_bytes_s: float = math.inf,
        cut_after_bytes: int | None = None,
        stall_after_bytes: int | None = None,
        flip_byte_at: int | None = None,
    ) -> None:
        self.delay_s = delay_s
        self._rate_bytes_s = rate_bytes_s
        self._cut_after_bytes = math.inf if cut_after_bytes is None else cut_after_bytes
        self._stall_after_bytes = math.inf if stall_after_bytes is None else stall_after_bytes
        self._flip_byte_at = flip_byte_at
        self._passed_bytes = 0
        self.free_at_s = 0.0

    @property
    def cut(self) -> bool:
        """Whether the connection is to end."""
        return self._passed_bytes >= self._cut_after_bytes

    @property
    def stalled(self) -> bool:
        """Whether nothing more passes."""
        return self._passed_bytes >= self._stall_after_bytes

    def stall(self) -> None:
        """Let nothing more pass."""
        self._stall_after_bytes = self._passed_bytes

    def harm(self, data: bytes) -> bytes:
        """Return as much of the data as may pass now, harmed."""
        room = min(self._cut_after_bytes, self._stall_after_bytes) - self._passed_bytes
        a_slice = max(1.0, self._rate_bytes_s * _SLICE_S)
        most = min(room, a_slice, len(data))
        data = data[: int(most)]
        at = -1 if self._flip_byte_at is None else self._flip_byte_at - self._passed_bytes
        if 0 <= at < len(data):
            data = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        return data

    def count(self, size: int, now: float) -> None:
        """Count bytes that have passed."""
        self._passed_bytes += size
        self.free_at_s = max(self.free_at_s, now) + size / self._rate_bytes_s


class _Flow:
    """One direction of one connection: what was read and has not passed yet."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        meter: _Meter,
        on_passed: Callable[[bytes], None],
    ) -> None:
        self.source = source
        self.sink = sink
        self.meter = meter
        self._on_passed = on_passed
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._waiting_bytes = 0
        self._ended = False
        self.finished = False

    @property
    def wants_to_read(self) -> bool:
        """Whether there is room for more."""
        full = self._waiting_bytes >= _MAX_WAITING_BYTES
        return not (self._ended or full or self.meter.stalled)

    @property
    def due_s(self) -> float:
        """When the next piece may pass, on the monotonic clock; infinity when there is none."""
        if not self._waiting or self.meter.stalled:
            return math.inf
        return max(self._waiting[0][0], self.meter.free_at_s)

    def read(self) -> None:
        """Take what has come; raises `OSError` when the connection is broken."""
        while self.wants_to_read:
            try:
                data = self.source.recv(_READ_BYTES)
            except BlockingIOError:
                return
            if data:
                self._waiting.append((time.monotonic() + self.meter.delay_s, data))
                self._waiting_bytes += len(data)
            self._ended = not data

    def write(self) -> None:
        """Let pass what is due; raises `OSError` when the connection is broken."""
        while self.due_s <= (now := time.monotonic()) and not self.meter.cut:
            due_s, data = self._waiting.popleft()
            piece = self.meter.harm(data)
            sent = self._send(piece)
            self.meter.count(sent, now)
            self._waiting_bytes -= sent
            if sent < len(data):
                self._waiting.appendleft((due_s, data[sent:]))
            if sent < len(piece):
                return
        if self._ended and not self._waiting and not self.finished and not self.meter.stalled:
            self.finished = True
            self.sink.shutdown(socket.SHUT_WR)

    def _send(self, piece: bytes) -> int:
        try:
            sent = self.sink.send(piece)
        except BlockingIOError:
            return 0
        self._on_passed(piece[:sent])
        return sent


class _Link:
    """One connection through the proxy: two sockets and two flows. Used by the proxy's thread."""

    def __init__(
        self, client: socket.socket, server: socket.socket, flows: tuple[_Flow, _Flow]
    ) -> None:
        self._sockets = (client, server)
        self._flows = flows
        self._registered: dict[socket.socket, int] = {}

    def stall(self) -> None:
        """Let nothing more pass."""
        for flow in self._flows:
            flow.meter.stall()

    def wish(self, selector: selectors.BaseSelector, now: float) -> float:
        """Tell the selector what to wait for; return when to look again, whatever happens."""
        for sock in self._sockets:
            events = sum(_wishes(self._flows, sock, now))
            before = self._registered.get(sock, 0)
            if events and before and events != before:
                selector.modify(sock, events)
            elif events and not before:
                selector.register(sock, events)
            elif before and not events:
                selector.unregister(sock)
            self._registered[sock] = events
        return min(due_s if (due_s := flow.due_s) > now else math.inf for flow in self._flows)

    def move(self) -> bool:
        """Read and pass on what can be; return whether the connection goes on."""
        try:
            for flow in self._flows:
                flow.read()
                flow.write()
        except OSError:
            return False
        over = all(flow.finished for flow in self._flows)
        return not over and not any(flow.meter.cut for flow in self._flows)

    def close(self, selector: selectors.BaseSelector, *, rst: bool) -> None:
        """End both sides."""
        for sock in self._sockets:
            if self._registered.get(sock):
                selector.unregister(sock)
            with contextlib.suppress(OSError):
                if rst:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                else:
                    _swallow(sock)
            sock.close()


def _wishes(flows: tuple[_Flow, _Flow], sock: socket.socket, now: float) -> Iterator[int]:
    for flow in flows:
        if flow.source is sock and flow.wants_to_read:
            yield selectors.EVENT_READ
        if flow.sink is sock and flow.due_s <= now:
            yield selectors.EVENT_WRITE


def _swallow(sock: socket.socket) -> None:
    """Read what has come: closing a socket with unread data would send RST in place of FIN."""
    with contextlib.suppress(BlockingIOError):
        while sock.recv(_READ_BYTES):
            pass
