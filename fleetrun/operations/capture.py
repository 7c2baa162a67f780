"""Keeping what a command writes, within a bound."""

from __future__ import annotations

DEFAULT_OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of each stream a result keeps, head and tail half each, unless told otherwise."""


class Capture:
    """Keeps a stream up to a limit: all of it, or its first and last halves of the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._head_limit = limit_bytes - limit_bytes // 2
        self._tail_limit = limit_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    def add(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self.total_bytes += len(data)
        room = self._head_limit - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:  # trimmed seldom: each byte moves once at most
            del self._tail[: len(self._tail) - self._tail_limit]

    @property
    def kept(self) -> bytes:
        """What was kept, in order."""
        excess = max(0, len(self._tail) - self._tail_limit)
        return bytes(self._head) + bytes(self._tail[excess:])
