"""Outputs to be read: of TCP streams here, of SSH sessions in `sessions.py`."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol


class Source(Protocol):
    """One output. The model reads its socket, and hands over what it has read.

    Attributes:
        sock: to be read by the model, blocking or not as it wants it.
        first_s: when the first byte of output was there, on the monotonic clock; None before.
        last_s: when the last one was.
        size_bytes: how much output there was.
    """

    sock: socket.socket
    first_s: float | None
    last_s: float | None
    size_bytes: int

    def take(self, piece: bytes) -> bool:
        """Take what was read from the socket; return whether that was the end of the output."""


class Stream:
    """The output of a plain TCP connection, which ends with it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.size_bytes = 0

    def take(self, piece: bytes) -> bool:
        """Take what was read; an empty piece is the end."""
        if piece:
            self.last_s = time.monotonic()
            self.first_s = self.first_s or self.last_s
            self.size_bytes += len(piece)
        return not piece


@contextmanager
def connected_streams(port: int, count: int) -> Iterator[Sequence[Stream]]:
    """Yield that many streams from a port of this machine; close them in the end."""
    with ExitStack() as opened:
        yield [
            Stream(opened.enter_context(socket.create_connection(("127.0.0.1", port))))
            for _ in range(count)
        ]
