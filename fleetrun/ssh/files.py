"""A host's files over SFTP, version 3 (draft-ietf-secsh-filexfer-02).

Implements `fleetrun.session.RemoteFiles`. Requests are sent ahead, up to a bound, so that a
transfer is not slowed by the distance; every single answer is checked.
"""

from __future__ import annotations

import contextlib
import itertools
import stat
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from fleetrun.errors import Cancelled, ConnectionLost, DeadlinePassed, Refused, SessionError
from fleetrun.session import FileInfo
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_INIT, _VERSION = 1, 2
_OPEN, _CLOSE, _READ, _WRITE = 3, 4, 5, 6
_FSETSTAT, _REMOVE, _STAT, _RENAME, _EXTENDED = 10, 13, 17, 18, 200
_STATUS, _HANDLE, _DATA, _ATTRS = 101, 102, 103, 105

_STATUS_OK, _STATUS_END, _STATUS_NO_FILE, _STATUS_UNSUPPORTED = 0, 1, 2, 8

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

_DISCARD_S = 1.5
"""What clearing up gets when the time is up, or the run cancelled."""


@dataclass(frozen=True, slots=True)
class _Answer:
    kind: int
    body: bytes

    def number(self) -> int:
        return _uint32_at(self.body, 0)

    def is_status(self, number: int) -> bool:
        return self.kind == _STATUS and self.number() == number

    def text(self) -> bytes:
        return _text_at(self.body, 0)

    def words(self) -> str:
        """Return the server's words for a status, and the draft's where it has none."""
        said = _text_at(self.body, 4).decode("utf-8", "replace") if len(self.body) > 4 else ""  # noqa: PLR2004
        return said or _STATUS_WORDS.get(self.number(), f"status {self.number()}")


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A file that is open on the host, and the numbers of requests whose answers are to come."""

    handle: bytes
    on_the_way: deque[int] = field(default_factory=deque)


class SftpFiles:
    """The files of one host over one channel. Used by one thread; the opener closes it.

    Raises `Refused` from the start when the host has no sftp subsystem.
    """

    def __init__(self, transport: Transport, wire: Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._received = bytearray()
        self._asked = {_GREETING}
        self._answers: dict[int, _Answer] = {}
        self._numbers = itertools.count(1)
        self._half_sent = False
        self._channel = transport.open_channel_for(self._take)
        if not self._channel.request("subsystem", "sftp"):
            raise Refused("the host serves no files: it has no sftp subsystem")
        self._extensions = self._greet()

    # --- the protocol of fleetrun.session.RemoteFiles ------------------------------------------

    def info(self, path: str) -> FileInfo | None:
        """Return what there is at the path, links followed; None when there is nothing."""
        answer = self._ask(_STAT, path or ".")
        if answer.is_status(_STATUS_NO_FILE):
            return None
        self._expect(answer, _ATTRS, path)
        return _file_info(answer.body)

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        """Create the file and write the pieces, each of 32 KiB at most; every status is checked."""
        flags = _FLAG_WRITE | _FLAG_CREATE | _FLAG_EXCLUSIVE
        attributes = _Raw(struct.pack(">II", _ATTR_MODE, mode))
        offset = 0
        with self._opened(path, flags, attributes) as file:
            for piece in pieces:
                if len(file.on_the_way) >= _AHEAD:
                    self._must(file.on_the_way.popleft(), path)
                number = self._send(_WRITE, file.handle, _uint64(offset), piece)
                file.on_the_way.append(number)
                offset += len(piece)
            while file.on_the_way:
                self._must(file.on_the_way.popleft(), path)
            # the server's umask took its bits off at the opening
            answer = self._ask(_FSETSTAT, file.handle, attributes)
            if not answer.is_status(_STATUS_UNSUPPORTED):  # some have only what the opening gave
                self._check(answer, path)
        return offset

    def read(self, path: str) -> Generator[bytes, None, None]:
        """Yield the file's content in order, until the server says that it has ended.

        Requests run ahead by position, few at first, so that a short file costs few of them.
        """
        next_offset, allowed = 0, 2
        with self._opened(path, _FLAG_READ, _uint32(0)) as file:
            more = True
            while more:
                while len(file.on_the_way) < allowed:
                    file.on_the_way.append(self._ask_for(file, next_offset, _PIECE_BYTES))
                    next_offset += _PIECE_BYTES
                offset = next_offset - len(file.on_the_way) * _PIECE_BYTES
                allowed = min(2 * allowed, _AHEAD)
                more = yield from self._whole_piece(file, offset, path)

    def _whole_piece(self, file: _OpenFile, offset: int, path: str) -> Generator[bytes, None, bool]:
        """Yield one piece, asking again for what a short answer left out; False at the end."""
        wanted = _PIECE_BYTES
        number = file.on_the_way.popleft()
        while True:
            answer = self._wait(number)
            if answer.is_status(_STATUS_END):
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
            number = self._ask_for(file, offset, wanted)

    def _ask_for(self, file: _OpenFile, offset: int, size_bytes: int) -> int:
        return self._send(_READ, file.handle, _uint64(offset), _uint32(size_bytes))

    def replace(self, source: str, target: str) -> None:
        """Rename in one step over an existing target.

        With OpenSSH's posix-rename where the server has it. Elsewhere a plain rename, which an
        existing target makes most servers refuse: then the old file steps aside, and comes back
        if the new one cannot take its place. Nothing is removed before the new file is there.
        """
        if _POSIX_RENAME in self._extensions:
            self._must(self._send(_EXTENDED, _POSIX_RENAME, source, target), target)
            return
        answer = self._ask(_RENAME, source, target)
        if answer.is_status(_STATUS_OK):
            return
        if self.info(target) is None:
            self._expect(answer, _NOTHING, target)
        aside = f"{source}-old"
        self._must(self._send(_RENAME, target, aside), target)
        try:
            self._must(self._send(_RENAME, source, target), target)
        except Refused as refusal:
            if self._ask(_RENAME, aside, target).is_status(_STATUS_OK):
                raise
            raise Refused(f"{refusal}; the old file's name is now {aside}") from refusal
        self._must(self._send(_REMOVE, aside), target)

    def remove(self, path: str) -> None:
        """Remove the file."""
        self._must(self._send(_REMOVE, path), path)

    def discard(self, path: str) -> bool:
        """Remove a file that is of no use, whatever has gone wrong; return whether it is gone.

        Has a second and a half for it when there is no other time left. When a request was cut off
        in its middle, the host would take the next for its rest: a channel of its own is used.
        """
        if self._wire.torn:
            return False
        self._wire.heed_cancel = False
        if self._wire.deadline.remaining_s < _DISCARD_S:
            self._wire.deadline = Deadline.after(_DISCARD_S, f"{path} was not removed in time")
        try:
            usable = not (self._half_sent or self._channel.closed)
            files = self if usable else SftpFiles(self._transport, self._wire)
            answer = files._ask(_REMOVE, path)  # noqa: SLF001 (one of us)
        except (SessionError, OSError):
            return False
        return answer.is_status(_STATUS_OK) or answer.is_status(_STATUS_NO_FILE)

    def close(self) -> None:
        """Close the channel; safe to call twice."""
        if not self._channel.closed and not self._wire.torn:
            with contextlib.suppress(SessionError):  # the connection is closed after this anyway
                self._channel.close()

    # --- requests and answers ------------------------------------------------------------------

    def _greet(self) -> frozenset[str]:
        """Agree on version 3 and return the names of the server's extensions."""
        self._channel.send_all(struct.pack(">IBI", 5, _INIT, 3))
        body = self._wait(_GREETING).body
        version = _uint32_at(body, 0)
        if version < 3:  # noqa: PLR2004 (version 3 is the one that the world speaks)
            raise Refused(f"the host speaks SFTP version {version}; version 3 is needed")
        names, at = set(), 4
        while at < len(body):
            name = _text_at(body, at)
            at += 4 + len(name)
            at += 4 + len(_text_at(body, at))
            names.add(name.decode("utf-8", "replace"))
        return frozenset(names)

    @contextlib.contextmanager
    def _opened(self, path: str, flags: int, attributes: _Raw) -> Iterator[_OpenFile]:
        """Open a file while it is entered; left alone when the host cannot be asked any more."""
        answer = self._ask(_OPEN, path, _uint32(flags), attributes)
        self._expect(answer, _HANDLE, path)
        file = _OpenFile(answer.text())
        try:
            yield file
        except (ConnectionLost, DeadlinePassed, Cancelled):
            raise
        except BaseException:  # refused, or the caller wants no more
            self._close_file(file)
            raise
        closed = self._close_file(file)
        if not closed.is_status(_STATUS_OK):
            self._expect(closed, _NOTHING, path)

    def _close_file(self, file: _OpenFile) -> _Answer:
        while file.on_the_way:
            self._wait(file.on_the_way.popleft())
        return self._ask(_CLOSE, file.handle)

    def _ask(self, kind: int, *fields: str | bytes | _Raw) -> _Answer:
        return self._wait(self._send(kind, *fields))

    def _must(self, number: int, path: str) -> None:
        self._check(self._wait(number), path)

    def _check(self, answer: _Answer, path: str) -> None:
        if not answer.is_status(_STATUS_OK):
            self._expect(answer, _NOTHING, path)

    def _expect(self, answer: _Answer, kind: int, path: str) -> None:
        if answer.kind == kind:
            return
        if answer.kind == _STATUS:
            raise Refused(f"{path}: the host says: {answer.words()}")
        raise ConnectionLost(f"{path}: the host gave an answer of an unexpected kind")

    def _send(self, kind: int, *fields: str | bytes | _Raw) -> int:
        number = next(self._numbers)
        body = b"".join(map(_encode, fields))
        self._asked.add(number)
        self._half_sent = True
        self._channel.send_all(struct.pack(">IBI", len(body) + 5, kind, number) + body)
        self._half_sent = False
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
            size = _uint32_at(self._received, 0)
            if not 5 <= size <= _MAX_ANSWER_BYTES:  # noqa: PLR2004 (kind and number)
                raise ConnectionLost(f"the host's file service sent an answer of {size} bytes")
            if len(self._received) < 4 + size:
                return
            self._keep(bytes(self._received[4 : 4 + size]))
            del self._received[: 4 + size]

    def _keep(self, answer: bytes) -> None:
        """Put an answer where the one who asked looks for it."""
        kind = answer[0]
        number = _GREETING if kind == _VERSION else _uint32_at(answer, 1)
        if number not in self._asked:
            raise ConnectionLost("the host's file service answered what nobody had asked")
        self._asked.remove(number)
        self._answers[number] = _Answer(kind, answer[1 if kind == _VERSION else 5 :])


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


def _uint32_at(body: bytes | bytearray, at: int) -> int:
    return int.from_bytes(_bytes_at(body, at, 4), "big")


def _text_at(body: bytes, at: int) -> bytes:
    return _bytes_at(body, at + 4, _uint32_at(body, at))


def _bytes_at(body: bytes | bytearray, at: int, size: int) -> bytes:
    found = bytes(body[at : at + size])
    if len(found) < size:
        raise ConnectionLost("the host's file service sent an answer that is cut short")
    return found


def _file_info(body: bytes) -> FileInfo:
    flags = _uint32_at(body, 0)
    at, size, mode = 4, None, None
    if flags & _ATTR_SIZE:
        size = int.from_bytes(_bytes_at(body, at, 8), "big")
        at += 8
    if flags & _ATTR_IDS:
        at += 8
    if flags & _ATTR_MODE:
        mode = _uint32_at(body, at)
    kind = None if mode is None else stat.S_IFMT(mode)  # 0 where the server does not tell kinds
    return FileInfo(
        size_bytes=size,
        mode=None if mode is None else stat.S_IMODE(mode),
        is_folder=kind == stat.S_IFDIR,
        is_special=kind not in {None, 0, stat.S_IFDIR, stat.S_IFREG},
    )
