"""One output of this process: a terminal, a pipe or a file. Under every sink.

Writes go past Python's buffers: standard output and error stay in order on a shared terminal, and
nothing is left over at exit to fail a second time when the reader is gone.
"""

from __future__ import annotations

import errno
import os
import select
from dataclasses import dataclass
from typing import Protocol, Self, TextIO

from fleetrun.output.color import Color, wants_color
from fleetrun.output.escape import visible_bytes


class ByteFile(Protocol):
    """What a writer writes to: a raw binary file, or `io.BytesIO`."""

    def write(self, data: memoryview, /) -> int | None:
        """Take some of the bytes and say how many; None when it can take none just now."""

    def fileno(self) -> int:
        """Return its descriptor; asked for only after `write` has returned None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes bytes to one output. Used by the main thread alone; closes nothing.

    Attributes:
        file: where it writes; None when the output was closed before this process began.
        is_terminal: whether a person sees it, so that text must be made safe.
        coloured: whether colours may be used.
    """

    file: ByteFile | None
    is_terminal: bool = False
    coloured: bool = False

    @classmethod
    def of(cls, stream: TextIO | None, color: Color = Color.AUTO) -> Self:
        """Return a writer to `sys.stdout` or `sys.stderr` (which are None when closed)."""
        if stream is None:
            return cls(file=None)
        is_terminal = stream.isatty()
        return cls(
            file=getattr(stream.buffer, "raw", stream.buffer),
            is_terminal=is_terminal,
            coloured=wants_color(color, is_terminal=is_terminal, environ=os.environ),
        )

    def write(self, data: bytes) -> None:
        """Write all of it, waiting for a slow reader.

        Raises `OSError` when nobody can read it any more, or the disk is full.
        """
        if self.file is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        rest = memoryview(data)
        while rest:
            written = self.file.write(rest)
            if written is None:  # somebody made the terminal non-blocking; ssh is known to
                select.select([], [self.file], [])
            else:
                rest = rest[written:]

    def safe(self, line: bytes) -> bytes:
        """Return remote bytes as they may be written: exact, but escaped on a terminal."""
        return visible_bytes(line).encode() if self.is_terminal else line
