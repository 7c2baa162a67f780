"""Distance: connections that take as long as if their peer were far away. Beside the road.

    client ── loopback, no time ──► FarProtocol ══ a Direction ══► the server's protocol
           ◄────────────────────── FarTransport ◄══ a Direction ══

Each direction takes half a round trip and holds any amount of bytes under way; so distance costs
time and never throughput. What limits that is the windows of SSH, as on a real network.
"""

from __future__ import annotations

import asyncio
import functools
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_HANDSHAKE_ROUND_TRIPS = 1.5
"""From a client's SYN to the arrival of its first segment: SYN, SYN-ACK, ACK (RFC 9293, 3.5)."""

Arrival = Callable[[], object]
"""What is done when something arrives at the other end."""


class Direction:
    """One direction of a connection: what is sent arrives later, in the order of sending.

    Used by the thread of its event loop alone. Nothing has to be closed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._under_way: deque[tuple[float, Arrival]] = deque()

    def send(self, after_s: float, arrive: Arrival) -> None:
        """Call arrive in after_s seconds, or when all that was sent earlier has arrived."""
        self._under_way.append((self._loop.time() + after_s, arrive))
        if len(self._under_way) == 1:
            self._wait_for_first()

    def _wait_for_first(self) -> None:
        self._loop.call_at(self._under_way[0][0], self._first_arrives)

    def _first_arrives(self) -> None:
        _, arrive = self._under_way.popleft()
        if self._under_way:
            self._wait_for_first()
        arrive()


class FarTransport(asyncio.Transport):
    """The transport that a server's protocol writes to when its client is far away.

    Closing is sent like data: it happens after all that was written has arrived.
    """

    def __init__(self, near: asyncio.Transport, outbound: Direction, one_way_s: float) -> None:
        super().__init__()
        self._near = near
        self._outbound = outbound
        self._one_way_s = one_way_s
        self._closing = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what the real transport says."""
        return self._near.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether the server's end was closed; nothing more is read or written then."""
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send the bytes on their way."""
        if not self._closing:
            self._outbound.send(self._one_way_s, functools.partial(self._near.write, bytes(data)))

    def close(self) -> None:
        """Close the connection, after what is under way."""
        if not self._closing:
            self._closing = True
            self._outbound.send(self._one_way_s, self._near.close)

    abort = close


class FarProtocol(asyncio.Protocol):
    """Stands between the event loop and a server's protocol, whose client is rtt_s seconds away.

    The loopback completes TCP's handshake at once; so the server hears of its connection one and
    a half round trips late, as it would on a real network.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: asyncio.Protocol, rtt_s: float
    ) -> None:
        self._server = server
        self._rtt_s = rtt_s
        self._inbound = Direction(loop)
        self._outbound = Direction(loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the server shake hands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (for the type checker)
        self._far = FarTransport(transport, self._outbound, self._rtt_s / 2)
        greet = functools.partial(self._server.connection_made, self._far)
        self._inbound.send(_HANDSHAKE_ROUND_TRIPS * self._rtt_s, greet)

    def data_received(self, data: bytes) -> None:
        """Send the client's bytes on their way to the server."""
        self._inbound.send(self._rtt_s / 2, functools.partial(self._data_arrives, data))

    def eof_received(self) -> bool:
        """Send the end of the client's bytes on its way; True keeps the other direction open."""
        self._inbound.send(self._rtt_s / 2, self._end_arrives)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the server, after what is under way to it."""
        self._inbound.send(self._rtt_s / 2, functools.partial(self._server.connection_lost, exc))

    def _data_arrives(self, data: bytes) -> None:
        if not self._far.is_closing():
            self._server.data_received(data)

    def _end_arrives(self) -> None:
        if not self._far.is_closing() and not self._server.eof_received():
            self._far.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A listening socket that is rtt_s seconds away; asyncssh takes it as its `tunnel`."""

    listening: socket.socket
    rtt_s: float

    async def create_server(
        self, make_protocol: Callable[[str, int], asyncio.Protocol], address: str, port: int
    ) -> asyncio.Server:
        """Listen as `loop.create_server` does; the address and port are the socket's anyway."""
        loop = asyncio.get_running_loop()

        def answer() -> asyncio.Protocol:
            server = make_protocol(address, port)
            return FarProtocol(loop, server, self.rtt_s) if self.rtt_s else server

        return await loop.create_server(answer, sock=self.listening)
