"""paramiko's packets over a `Wire`: bounded in size, without its polls, timers and threads."""

from __future__ import annotations

from fleetrun.errors import ConnectionLost
from fleetrun.ssh import (
    chacha,
    foreign,  # noqa: F401 (makes paramiko cheap, and must come first)
)
from fleetrun.ssh.chacha import ChaChaPoly
from fleetrun.ssh.wire import Wire

from paramiko.message import Message  # isort: skip
from paramiko.packet import Packetizer

MAX_PACKET_BYTES = 256 * 1024
"""Largest packet that is taken: what OpenSSH takes; RFC 4253, section 6.1 asks for 35,000."""

_LENGTH_BYTES = 4
_MAX_NUMBER = 0xFFFFFFFF

_MAX_LINE_BYTES = 8192
"""Longest line before the version exchange is over, as OpenSSH has it."""


class Packets(Packetizer):
    """paramiko's packets over a `Wire`: bounded in size, without its polls and timers."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._wire = wire
        self._opener: ChaChaPoly | None = None
        self._sealer: ChaChaPoly | None = None
        self._numbers = {"in": 0, "out": 0}
        self._number_to_seal = 0
        self._opened = b""

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
        if self._opened:
            taken, self._opened = self._opened[:n], self._opened[n:]
            return taken
        return self._read(n)

    def _read(self, n: int) -> bytes:
        """Return exactly n bytes as they were sent."""
        piece = self._wire.recv(n) if n else b""
        while len(piece) < n:
            more = self._wire.recv(n - len(piece))
            if not more:
                raise EOFError
            piece += more
        return piece

    def write_all(self, out: bytes) -> None:
        """Send it all; the wire reads meanwhile, and raises at its deadline."""
        self._wire.send(
            out if self._sealer is None else self._sealer.seal(self._number_to_seal, out)
        )

    # --- numbers of packets, and the one cipher that paramiko has not --------------------------

    def send_message(self, data: Message) -> None:
        """Send a message; a cipher that needs the packet's number is told it.

        The number is used up before anything is sent: while the wire waits for room, a sign of life
        may be asked for, and that question is a packet too.
        """
        self._number_to_seal = self._numbers["out"]
        self._numbers["out"] = (self._number_to_seal + 1) & _MAX_NUMBER
        super().send_message(data)

    def read_message(self) -> tuple[int, Message]:
        """Read a packet and return its message's number and the message."""
        if self._opener is not None:
            self._open_packet(self._opener)
        read: tuple[int, Message] = super().read_message()
        self._numbers["in"] = (self._numbers["in"] + 1) & _MAX_NUMBER
        return read

    def reset_seqno_out(self) -> None:
        """Begin to count anew (strict key exchange)."""
        super().reset_seqno_out()
        self._numbers["out"] = 0

    def reset_seqno_in(self) -> None:
        """Begin to count anew (strict key exchange)."""
        super().reset_seqno_in()
        self._numbers["in"] = 0

    def set_inbound_cipher(self, block_engine: object, *args: object, **kwargs: object) -> None:
        """Switch to a cipher; for one of ours, paramiko gets packets that are opened already."""
        self._opener = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._opener is None:
            super().set_inbound_cipher(block_engine, *args, **kwargs)
        else:
            super().set_inbound_cipher(None, _LENGTH_BYTES, None, 0, b"")

    def set_outbound_cipher(self, block_engine: object, *args: object, **kwargs: object) -> None:
        """Switch to a cipher; for one of ours, paramiko hands out packets that are yet to seal.

        With etm it leaves the length field out of the padding, which is right here too.
        """
        self._sealer = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._sealer is None:
            super().set_outbound_cipher(block_engine, *args, **kwargs)
        else:
            super().set_outbound_cipher(None, chacha.BLOCK_BYTES, None, 0, b"", etm=True)

    def _open_packet(self, opener: ChaChaPoly) -> None:
        """Read a sealed packet and keep it opened, for paramiko to read."""
        number = self._numbers["in"]
        length = self._read(_LENGTH_BYTES)
        size = opener.length(number, length)
        if not chacha.BLOCK_BYTES <= size <= MAX_PACKET_BYTES:
            raise ConnectionLost(f"it sent a packet that claims {size} bytes")
        opened = opener.open(number, length, self._read(size + chacha.TAG_BYTES))
        self._opened = size.to_bytes(_LENGTH_BYTES, "big") + opened


class ClosedEarly(Exception):
    """The connection ended within a line; `said` is what there was of it."""

    def __init__(self, reason: str, said: bytes) -> None:
        super().__init__(reason)
        self.said = said
