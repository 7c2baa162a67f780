"""A host's files over SFTP, version 3 (draft-ietf-secsh-filexfer-02).

Implements `fleetrun.session.RemoteFiles`. Requests are sent ahead, up to a bound, so that a
transfer is not slowed by the distance; every single answer is checked.
"""

from __future__ import annotations

import itertools
import stat
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from fleetrun.errors import ConnectionLost, Refused
from fleetrun.session import FileInfo
from fleetrun.ssh.transport import Transport

_INIT, _VERSION = 1, 2
_OPEN, _CLOSE, _READ, _WRITE = 3, 4, 5, 6
_FSETSTAT, _REMOVE, _STAT, _RENAME, _EXTENDED = 10, 13, 17, 18, 200
_STATUS, _HANDLE, _DATA, _ATTRS = 101, 102, 103, 105

_STATUS_OK, _STATUS_END, _STATUS_NO_FILE = 0, 1, 2

_STATUS_WORDS = {
    2: "no such file",
    3: "permission denied",
    4: "failure",
    8: "operation unsupported",
}
_NOTHING = -1
_GREETING = 0
"""The number under which the one answer that has none is kept."""

_FLAG_READ, _FLAG_WRITE, _FLAG_CREATE, _FLAG_EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
_ATTR_SIZE, _ATTR_IDS, _ATTR_MODE = 0x01, 0x02, 0x04

_PIECE_BYTES = 32 * 1024
"""What servers must take or give in one request (section 3: packets of 34,000 bytes)."""
_AHEAD = 64
"""Requests on the way at once: 2 MiB, which is a channel's window."""
_MAX_ANSWER_BYTES = 256 * 1024

_POSIX_RENAME = "posix-rename@openssh.com"


@dataclass(frozen=True, slots=True)
class _Answer:
    kind: int
    body: bytes

    def number(self) -> int:
        return _number_at(self.body, 0)

    def text(self) -> bytes:
        return _text_at(self.body, 0)

    def words(self) -> str:
        """Return the server's words for a status, and the draft's where it has none."""
        said = _text_at(self.body, 4).decode("utf-8", "replace") if len(self.body) > 4 else ""  # noqa: PLR2004
        return said or _STATUS_WORDS.get(self.number(), f"status {self.number()}")


class SftpFiles:
    """The files of one host over one channel. Used by one thread; the opener closes it.

    Raises `Refused` from the start when the host has no sftp subsystem.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._received = bytearray()
        self._answers: dict[int, _Answer] = {}
        self._numbers = itertools.count(1)
        self._channel = transport.open_channel_for(self._take)
        if not self._channel.request("subsystem", "sftp"):
            raise Refused("the host serves no files: it has no sftp subsystem")
        self._extensions = self._greet()

    # --- the protocol of fleetrun.session.RemoteFiles ------------------------------------------

    def info(self, path: str) -> FileInfo | None:
        """Return what there is at the path, links followed; None when there is nothing."""
        answer = self._ask(_STAT, path or ".")
        if answer.kind == _STATUS and answer.number() == _STATUS_NO_FILE:
            return None
        self._expect(answer, _ATTRS, path)
        return _file_info(answer.body)

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        """Create the file and write the pieces, each of 32 KiB at most; every status is checked."""
        flags = _FLAG_WRITE | _FLAG_CREATE | _FLAG_EXCLUSIVE
        handle = self._open(path, flags, struct.pack(">II", _ATTR_MODE, mode))
        on_the_way: deque[int] = deque()
        offset = 0
        try:
            for piece in pieces:
                if len(on_the_way) >= _AHEAD:
                    self._must(on_the_way.popleft(), path)
                on_the_way.append(self._send(_WRITE, handle, _uint64(offset), piece))
                offset += len(piece)
            while on_the_way:
                self._must(on_the_way.popleft(), path)
            # the server's umask took its bits off at the opening
            attributes = _Raw(struct.pack(">II", _ATTR_MODE, mode))
            self._must(self._send(_FSETSTAT, handle, attributes), path)
        except Refused:
            for number in on_the_way:
                self._wait(number)
            self._ask(_CLOSE, handle)
            raise
        self._must(self._send(_CLOSE, handle), path)
        return offset

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the file's content in order, until the server says that it has ended.

        Requests run ahead by position, few at first, so that a short file costs few of them.
        """
        handle = self._open(path, _FLAG_READ, struct.pack(">I", 0))
        on_the_way: deque[tuple[int, int]] = deque()
        next_offset, allowed = 0, 2
        try:
            more = True
            while more:
                while len(on_the_way) < allowed:
                    number = self._send(_READ, handle, _uint64(next_offset), _uint32(_PIECE_BYTES))
                    on_the_way.append((next_offset, number))
                    next_offset += _PIECE_BYTES
                allowed = min(2 * allowed, _AHEAD)
                more = yield from self._whole_piece(handle, *on_the_way.popleft(), path)
        finally:
            if not self._channel.closed:
                for _, number in on_the_way:
                    self._wait(number)
                self._ask(_CLOSE, handle)

    def _whole_piece(
        self, handle: bytes, offset: int, number: int, path: str
    ) -> Generator[bytes, None, bool]:
        """Yield one piece, asking again for what a short answer left out; False at the end."""
        wanted = _PIECE_BYTES
        while True:
            answer = self._wait(number)
            if answer.kind == _STATUS and answer.number() == _STATUS_END:
                return False
            self._expect(answer, _DATA, path)
            data = answer.text()
            if not 0 < len(data) <= wanted:
                raise ConnectionLost(f"{path}: the host sent {len(data)} bytes for {wanted}")
            yield data
            wanted -= len(data)
            offset += len(data)
            if not wanted:
                return True
            number = self._send(_READ, handle, _uint64(offset), _uint32(wanted))

    def replace(self, source: str, target: str) -> None:
        """Rename in one step over an existing target.

        With OpenSSH's posix-rename where the server has it; else with a plain rename, after
        removing the target when that is refused (the one case in which a moment without the file
        cannot be avoided).
        """
        if _POSIX_RENAME in self._extensions:
            self._must(self._send(_EXTENDED, _POSIX_RENAME, source, target), target)
            return
        answer = self._ask(_RENAME, source, target)
        if answer.kind == _STATUS and answer.number() != _STATUS_OK:
            self._must(self._send(_REMOVE, target), target)
            self._must(self._send(_RENAME, source, target), target)

    def remove(self, path: str) -> None:
        """Remove the file."""
        self._must(self._send(_REMOVE, path), path)

    def close(self) -> None:
        """Close the channel; safe to call twice."""
        if not self._channel.closed:
            self._channel.close()

    # --- requests and answers ------------------------------------------------------------------

    def _greet(self) -> frozenset[str]:
        """Agree on version 3 and return the names of the server's extensions."""
        self._channel.send_all(struct.pack(">IBI", 5, _INIT, 3))
        body = self._wait(_GREETING).body
        version = _number_at(body, 0)
        if version < 3:  # noqa: PLR2004 (version 3 is the one that the world speaks)
            raise Refused(f"the host speaks SFTP version {version}; version 3 is needed")
        names, at = set(), 4
        while at < len(body):
            name = _text_at(body, at)
            at += 4 + len(name)
            at += 4 + len(_text_at(body, at))
            names.add(name.decode("utf-8", "replace"))
        return frozenset(names)

    def _open(self, path: str, flags: int, attributes: bytes) -> bytes:
        answer = self._ask(_OPEN, path, _uint32(flags), _Raw(attributes))
        self._expect(answer, _HANDLE, path)
        return answer.text()

    def _ask(self, kind: int, *fields: str | bytes | _Raw) -> _Answer:
        return self._wait(self._send(kind, *fields))

    def _must(self, number: int, path: str) -> None:
        answer = self._wait(number)
        if answer.kind != _STATUS or answer.number() != _STATUS_OK:
            self._expect(answer, _NOTHING, path)

    def _expect(self, answer: _Answer, kind: int, path: str) -> None:
        if answer.kind == kind:
            return
        if answer.kind == _STATUS:
            raise Refused(f"{path}: the host says: {answer.words()}")
        raise ConnectionLost(f"{path}: the host gave an answer of an unexpected kind")

    def _send(self, kind: int, *fields: str | bytes | _Raw) -> int:
        number = next(self._numbers)
        body = b"".join(_encode(field) for field in fields)
        self._channel.send_all(struct.pack(">IBI", len(body) + 5, kind, number) + body)
        return number

    def _wait(self, number: int) -> _Answer:
        self._transport.pump_until(lambda: number in self._answers or self._channel.closed)
        if number not in self._answers:
            raise ConnectionLost("the host closed its file service")
        return self._answers.pop(number)

    def _take(self, kind: int, data: bytes) -> None:
        """Take what the pump brings: whole answers go to the table, the rest waits."""
        if kind != 0:
            return  # the service's own stderr
        self._received += data
        while len(self._received) >= 4:  # noqa: PLR2004 (an answer begins with its uint32 length)
            size = int.from_bytes(self._received[:4], "big")
            if not 5 <= size <= _MAX_ANSWER_BYTES:  # noqa: PLR2004 (kind and number)
                raise ConnectionLost(f"the host's file service sent an answer of {size} bytes")
            if len(self._received) < 4 + size:
                return
            answer = bytes(self._received[4 : 4 + size])
            del self._received[: 4 + size]
            if answer[0] == _VERSION:
                self._answers[_GREETING] = _Answer(_VERSION, answer[1:])
            else:
                number = int.from_bytes(answer[1:5], "big")
                self._answers[number] = _Answer(answer[0], answer[5:])


class _Raw(bytes):
    """A field that goes out as it is, without a length before it."""

    __slots__ = ()


def _uint32(number: int) -> _Raw:
    return _Raw(struct.pack(">I", number))


def _uint64(number: int) -> _Raw:
    return _Raw(struct.pack(">Q", number))


def _encode(field: str | bytes | _Raw) -> bytes:
    if isinstance(field, _Raw):
        return field
    data = field.encode("utf-8", "surrogateescape") if isinstance(field, str) else field
    return struct.pack(">I", len(data)) + data


def _number_at(body: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(_bytes_at(body, at, size), "big")


def _text_at(body: bytes, at: int) -> bytes:
    return _bytes_at(body, at + 4, _number_at(body, at))


def _bytes_at(body: bytes, at: int, size: int) -> bytes:
    taken = body[at : at + size]
    if len(taken) < size:
        raise ConnectionLost("the host's file service gave an answer that is cut short")
    return taken


def _file_info(body: bytes) -> FileInfo:
    flags = _number_at(body, 0)
    at = 4
    size: int | None = None
    mode: int | None = None
    if flags & _ATTR_SIZE:
        size = _number_at(body, at, 8)
        at += 8
    if flags & _ATTR_IDS:
        at += 8
    if flags & _ATTR_MODE:
        mode = _number_at(body, at)
    is_folder = mode is not None and stat.S_ISDIR(mode)
    bits = None if mode is None else stat.S_IMODE(mode)
    return FileInfo(size_bytes=size, mode=bits, is_folder=is_folder)
