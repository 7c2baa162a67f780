"""System calls, made and counted."""

from __future__ import annotations

import socket
from collections import Counter

_PIECE_BYTES = 65_536


class SystemCalls:
    """The account of one reader. Used by its thread.

    Attributes:
        made: how many there were, by name.
        in_vain: how many reads found nothing.
    """

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.in_vain = 0

    def note(self, name: str, count: int = 1) -> None:
        """Note that calls of that name were made."""
        self.made[name] += count

    def recv(self, sock: socket.socket) -> bytes | None:
        """Read what there is; None when there is nothing and the socket does not block."""
        self.made["recv"] += 1
        try:
            return sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            self.in_vain += 1
            return None
        except ConnectionError:  # the other side has died: that is the end of its output
            return b""
