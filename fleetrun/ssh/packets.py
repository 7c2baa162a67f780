"""paramiko's packets over a `Wire`: bounded in size, without its polls, timers and threads."""

from __future__ import annotations

from fleetrun.errors import ConnectionLost
from fleetrun.ssh.wire import Wire

from paramiko.packet import Packetizer  # isort: skip (fleetrun.ssh.foreign makes it cheap)

MAX_PACKET_BYTES = 256 * 1024
"""Largest packet that is taken: what OpenSSH takes; RFC 4253, section 6.1 asks for 35,000."""

_MAX_LINE_BYTES = 8192
"""Longest line before the version exchange is over, as OpenSSH has it."""


class Packets(Packetizer):
    """paramiko's packets over a `Wire`: bounded in size, without its polls and timers."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._wire = wire

    def read_line(self) -> bytes:
        """Return the next line before the version exchange is over, without its end."""
        seen = b""
        while (end := seen.find(b"\n")) < 0:
            if len(seen) > _MAX_LINE_BYTES:
                raise ConnectionLost("it sent an endless line instead of an SSH version")
            try:
                piece = self._wire.recv(_MAX_LINE_BYTES)
            except ConnectionLost as error:
                raise ClosedEarly(str(error), seen) from error
            if not piece:
                raise ClosedEarly("it closed the connection", seen)
            seen += piece
        self._wire.give_back(seen[end + 1 :])
        return seen[:end].removesuffix(b"\r")

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002, ARG002
        """Return exactly n bytes; every packet's length comes through here, and is bounded."""
        if not 0 <= n <= MAX_PACKET_BYTES:
            raise ConnectionLost(f"it sent a packet that claims {n} bytes")
        piece = self._wire.recv(n) if n else b""
        while len(piece) < n:
            more = self._wire.recv(n - len(piece))
            if not more:
                raise EOFError
            piece += more
        return piece

    def write_all(self, out: bytes) -> None:
        """Send it all; the wire reads meanwhile, and raises at its deadline."""
        self._wire.send(out)


class ClosedEarly(Exception):
    """The connection ended within a line; `said` is what there was of it."""

    def __init__(self, reason: str, said: bytes) -> None:
        super().__init__(reason)
        self.said = said
