"""Live output: each line as it comes, whole, behind the name of its host."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from fleetrun.events import Event, Finished, Output
from fleetrun.output.color import host_color, paint
from fleetrun.output.writer import Writer
from fleetrun.results import Report, Result, Stream

LONGEST_LINE_BYTES = 64 * 1024
"""A longer line is broken into lines of this length, so that an endless one needs no memory."""

_CONTINUATION_MASK, _CONTINUATION = 0xC0, 0x80
"""The upper bits of each byte of a UTF-8 character but its first (RFC 3629, section 3)."""


class Lines:
    """A sink that writes `host: line`: stdout to standard output, stderr to standard error.

    A line is written when its end has come, so that lines of different hosts never mix. What has
    no end when its host finishes gets one. Bytes are kept as they are, and escaped on a terminal.
    For a transfer, each file that was written is a line, also when a line's end is in its name.

    Args:
        out: where stdout goes.
        err: where stderr goes.
        prefixed: whether the host's name and a colon stand before each line.
    """

    def __init__(self, *, out: Writer, err: Writer, prefixed: bool = True) -> None:
        self._writers = {Stream.STDOUT: out, Stream.STDERR: err}
        self._prefixed = prefixed
        self._unended: dict[tuple[str, Stream], bytes] = {}

    def take(self, event: Event) -> None:
        """Write the lines that this event ends; raises `OSError` when they cannot be written."""
        if isinstance(event, Output):
            self._add(event.host, event.stream, event.data)
        elif isinstance(event, Finished):
            self._finish(event.result)

    def close(self, report: Report) -> None:
        """Do nothing: every host has finished, so every line was written."""

    def _add(self, host: str, stream: Stream, data: bytes) -> None:
        whole = self._unended.pop((host, stream), b"") + data
        *lines, rest = whole.split(b"\n")
        *begun, rest = _broken(rest)
        if rest:
            self._unended[host, stream] = rest
        self._write(host, stream, [part for line in lines for part in _broken(line)] + begun)

    def _finish(self, result: Result) -> None:
        for stream in Stream:
            if rest := self._unended.pop((result.host, stream), b""):
                self._write(result.host, stream, [rest])
        files = (os.fsencode(file).replace(b"\n", rb"\x0a") for file in result.files)
        self._write(result.host, Stream.STDOUT, files)

    def _write(self, host: str, stream: Stream, lines: Iterable[bytes]) -> None:
        writer = self._writers[stream]
        prefix = self._prefix(host, coloured=writer.coloured)
        writer.write(b"".join(prefix + writer.safe(line) + b"\n" for line in lines))

    def _prefix(self, host: str, *, coloured: bool) -> bytes:
        if not self._prefixed:
            return b""
        name = f"{host}:"
        return (paint(name, host_color(host)) if coloured else name).encode() + b" "


def _broken(line: bytes) -> Iterator[bytes]:
    """Yield the line in parts that are not too long; the last one may still grow."""
    begin = 0
    while len(line) - begin > LONGEST_LINE_BYTES:
        end = _character_start(line, begin + LONGEST_LINE_BYTES)
        yield line[begin:end]
        begin = end
    yield line[begin:]


def _character_start(line: bytes, at: int) -> int:
    """Return the start of the UTF-8 character that `at` is in, or `at` if it is in none."""
    for start in range(at, at - 4, -1):
        if line[start] & _CONTINUATION_MASK != _CONTINUATION:
            return start
    return at
