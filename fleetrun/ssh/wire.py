"""A socket that keeps time: every wait of a session happens here.

paramiko reads and writes whatever has `recv`, `send` and `close`. This one

- ends every wait at one absolute deadline on the monotonic clock, so that no protocol step can
  outlast it, however slowly its bytes come;
- ends every wait at once when the run is cancelled;
- fetches 64 KiB at a time and serves many packets from one system call;
- never waits for the other side to read without reading itself, so that two full buffers cannot
  face each other;
- tells when the other side has been silent for long.

Used by one thread at a time.
"""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fleetrun.errors import Cancelled, ConnectionLost, DeadlinePassed
from fleetrun.readiness import wait_ready
from fleetrun.session import Cancel

_FETCH_BYTES = 64 * 1024
_UNSENT_BYTES = 32 * 1024
"""Bytes that may wait to be sent together."""

_MAX_BACKLOG_BYTES = 16 * 1024 * 1024
"""Bytes that may wait unread while we send: four times what all windows of a session allow."""

_PACKET_SLACK_S = 1.0
"""What the rest of a packet gets when the deadline passes in its middle."""

_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A point on the monotonic clock, and what to say when it passes."""

    at_s: float
    sentence: str

    @classmethod
    def after(cls, seconds: float | None, sentence: str) -> Deadline:
        """Return the deadline that many seconds from now; None never passes."""
        return cls(
            at_s=math.inf if seconds is None else time.monotonic() + seconds, sentence=sentence
        )

    @property
    def remaining_s(self) -> float:
        """Seconds until it passes; 0.0 or less when it has."""
        return self.at_s - time.monotonic()


class Link(Protocol):
    """What a wire is strung on: a connected socket, or what behaves like one that does not block.

    `recv` raises `ConnectionLost` in the place of the end when it knows what has ended it.
    """

    def recv(self, size: int, /) -> bytes:
        """Return what has come, or b"" at the end; raise `BlockingIOError` when nothing has."""

    def send(self, data: memoryview, /) -> int:
        """Send what there is room for, or raise `BlockingIOError`."""

    def fileno(self) -> int:
        """Return the descriptor to wait on, for either direction."""

    def setblocking(self, blocking: bool, /) -> None:  # noqa: FBT001 (a socket's)
        """Be told not to block."""

    def getpeername(self) -> object:
        """Return the address of the other side."""

    def close(self) -> None:
        """End it; safe to call twice."""


class Wire:
    """A connected stream with a deadline; what a `Transport` is built on.

    Args:
        sock: the socket, or another link; the wire owns it from now on.
        deadline: the first deadline; assign `deadline` to change it.
        cancel: the run's stop button; `serve` gives it to another owner.

    Attributes:
        quick_ack: whether each read asks the kernel to acknowledge at once (Linux).
        heed_cancel: whether a pressed stop button ends waits; off while a session says goodbye.
        silence_s: seconds without a byte from the host after which `on_silence` is called.
        on_silence: called then, and again after each further silence of that length; may raise.
        last_heard_s: when the last byte came, on the monotonic clock.
        torn: whether a packet was left half read or half sent: nothing can be said any more.
    """

    def __init__(self, sock: Link, *, deadline: Deadline, cancel: Cancel) -> None:
        sock.setblocking(False)
        self._sock = sock
        self.cancel = cancel
        self._chunks: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unsent = bytearray()
        self._flushing = False
        self._eof = False
        self._broken: ConnectionLost | None = None
        self._closed = False  # Transport.stop_thread looks at it
        self.deadline = deadline
        self.quick_ack = _QUICK_ACK is not None
        self.heed_cancel = True
        self.silence_s = math.inf
        self.on_silence: Callable[[], None] | None = None
        self.last_heard_s = time.monotonic()
        self.torn = False
        self._slack_s = 0.0
        self._cancel_seen_s = math.inf

    def serve(self, cancel: Cancel) -> None:
        """Heed another run's stop button from now on; one that has been seen is forgotten."""
        self.cancel = cancel
        self.heed_cancel = True
        self._cancel_seen_s = math.inf

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: `Transport` asks for a poll interval, and here the deadline rules."""

    def getpeername(self) -> object:
        """Return the address of the other side."""
        return self._sock.getpeername()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def recv(self, size: int) -> bytes:
        """Return 1 to size bytes; b"" once the other side has closed."""
        while not self._chunks:
            if self._eof:
                if self._broken is not None:
                    raise self._broken
                return b""
            if not self._fetch():
                self._wait()
        chunk = self._chunks[0]
        if len(chunk) <= size:
            self._chunks.popleft()
            self._waiting_bytes -= len(chunk)
            return chunk
        self._chunks[0] = chunk[size:]
        self._waiting_bytes -= size
        return chunk[:size]

    def give_back(self, data: bytes) -> None:
        """Put bytes back that were received too early; `recv` returns them next."""
        if data:
            self._chunks.appendleft(data)
            self._waiting_bytes += len(data)

    def send(self, data: bytes) -> int:
        """Take all of data, to be sent before the host is next listened to; return its length.

        Messages that follow each other so share a system call and a segment, which is a tenth of
        a login's processor time. `flush` sends at once, as does whoever takes much.
        """
        self._unsent += data
        if len(self._unsent) >= _UNSENT_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Send all that was taken, reading meanwhile whatever comes."""
        while self._unsent and not self._flushing:
            out, self._unsent = self._unsent, bytearray()
            self._flushing = True
            try:
                self._send_now(memoryview(out))
            finally:
                self._flushing = False

    def _send_now(self, view: memoryview) -> None:
        was_torn, self.torn = self.torn, True
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                self._make_room()
            except OSError as error:
                # the host may have said why before it went: what has come is read first
                self._broken = _lost(error)
                return
        self.torn = was_torn

    def carry_on_with(self, link: Link) -> Link:
        """Be strung on another link from now on, and return the one before.

        For a caller who reads the socket in a way of its own and feeds the wire what has come; the
        link must not block. Whatever was taken to be sent goes out on the old one first.
        """
        self.flush()
        before, self._sock = self._sock, link
        return before

    def await_packet(self) -> None:
        """Wait, between packets, for the first byte of the next one.

        Also raises when the deadline has passed or the run is cancelled while bytes are waiting:
        a host that never stops sending must not get around either. The rest of a packet that has
        begun gets a second more.
        """
        self._slack_s = 0.0
        self._check_time()
        while not self.readable:
            self._wait()
        self._slack_s = _PACKET_SLACK_S
        self.torn = True

    def packet_over(self) -> None:
        """Note that the packet has come whole."""
        self._slack_s = 0.0
        self.torn = False

    @property
    def readable(self) -> bool:
        """Whether `recv` would return at once."""
        return bool(self._chunks) or self._eof or self._fetch()

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._sock.close()

    def _fetch(self) -> bool:
        """Send what is unsent, and take what the kernel has; return whether that was anything.

        The end counts.
        """
        self.flush()
        try:
            chunk = self._sock.recv(_FETCH_BYTES)
        except BlockingIOError:
            return False
        except ConnectionLost as error:
            self._broken, chunk = error, b""
        except OSError as error:
            self._broken = self._broken or _lost(error)
            chunk = b""
        self.last_heard_s = time.monotonic()
        if chunk:
            self._acknowledge()
            self._chunks.append(chunk)
            self._waiting_bytes += len(chunk)
        else:
            self._eof = True
        return True

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge at once what has come.

        It forgets the wish after a while; without it OpenSSH's second small packet waits up to
        44 ms for our delayed acknowledgement (measured).
        """
        if self.quick_ack and _QUICK_ACK is not None and isinstance(self._sock, socket.socket):
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)

    def _make_room(self) -> None:
        self._wait(write_too=True)
        self._fetch()
        if self._waiting_bytes > _MAX_BACKLOG_BYTES:
            raise ConnectionLost("the host sent without end and read nothing meanwhile")
        if self._eof:
            raise self._broken or ConnectionLost("the host closed the connection")

    def wait_readable(self, until_s: float) -> bool:
        """Wait for data until that time on the monotonic clock; return whether there is any."""
        while not self.readable:
            if not self._wait(until_s):
                return False
        return True

    def _wait(self, until_s: float = math.inf, *, write_too: bool = False) -> bool:
        """Wait until there is something to read (or room to write), or until_s; tell which.

        Raises `Cancelled` or `DeadlinePassed` when those come first.
        """
        mine = self._sock.fileno()
        while True:
            now = self._check_time()
            if now >= until_s:
                return False
            silent_at_s = self.last_heard_s + self.silence_s
            wake_s = min(until_s, self._end_s() + self._slack_s, silent_at_s)
            watched = self.heed_cancel and self._cancel_seen_s == math.inf
            readers = [mine, self.cancel.fileno()] if watched else [mine]
            ready = wait_ready(
                readers,
                [mine] if write_too else [],
                timeout_s=None if wake_s == math.inf else wake_s - now,
            )
            if mine in ready:
                return True
            if not ready:
                self.heed_silence()
                self.flush()

    def heed_silence(self) -> float:
        """Call `on_silence` if the host has been silent for long; return the seconds until then."""
        if time.monotonic() >= self.last_heard_s + self.silence_s and self.on_silence is not None:
            self.last_heard_s = time.monotonic()  # the next call comes one silence later
            self.on_silence()
        return self.last_heard_s + self.silence_s - time.monotonic()

    def _check_time(self) -> float:
        """Return the time; raise when it is up or the run is cancelled."""
        now = time.monotonic()
        if self.heed_cancel and self.cancel.pressed:
            self._cancel_seen_s = min(self._cancel_seen_s, now)
        if now < self._end_s() + self._slack_s:
            return now
        if self.heed_cancel and self._cancel_seen_s <= now:
            raise Cancelled("cancelled while it was being worked on")
        raise DeadlinePassed(self.deadline.sentence)

    def _end_s(self) -> float:
        """Return when waits end, but for the slack: at the deadline, or when cancelled."""
        return min(self.deadline.at_s, self._cancel_seen_s if self.heed_cancel else math.inf)


def _lost(error: OSError) -> ConnectionLost:
    return ConnectionLost(f"the connection broke: {(error.strerror or str(error)).lower()}")
