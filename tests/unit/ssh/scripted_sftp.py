"""An SFTP server without a connection, whose single answers a test may spoil."""

from __future__ import annotations

import struct
from collections.abc import Callable

from paramiko import common
from scripted_host import ScriptedHost

from fleetrun.ssh.channel import DATA_PACKET_BYTES, Channel

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE = 3, 4, 5, 6
FSETSTAT, REMOVE, STAT, RENAME, EXTENDED = 10, 13, 17, 18, 200
STATUS, HANDLE, DATA, ATTRS = 101, 102, 103, 105
OK, END, NO_FILE, DENIED, FAILED = 0, 1, 2, 3, 4
CREATE_EXCLUSIVELY = 0x02 | 0x08 | 0x20

Answer = bytes
Spoil = Callable[[int, int], Answer | None]


def string(data: bytes) -> bytes:
    """Return a string with its length before it."""
    return struct.pack(">I", len(data)) + data


def status(code: int, words: bytes = b"") -> Answer:
    """Return a status as an answer: its kind, and then what follows the request's number."""
    return bytes([STATUS]) + struct.pack(">I", code) + string(words) + string(b"")


class ScriptedSftp(ScriptedHost):
    """A server that knows a few files.

    Attributes:
        files: contents by path.
        modes: permission bits of what was written, by path.
        folders: paths that are folders.
        version: the version that it speaks.
        extensions: what it says it has besides.
        most_bytes: the longest data that it gives in one answer.
        piece_bytes: the longest piece in which its answers travel.
        spoil: is told the kind of each request and how many of that kind came before; what it
            returns is answered instead.
        delayed: how many answers it holds back; they go out last first.
        asked: kinds of the requests, in order.
        most_ahead: the largest number of requests that were unanswered at once.
        open_handles: handles that were opened and not closed.
        grants: whether it lets more be sent when it has taken what came.
    """

    def __init__(self, **files: bytes) -> None:
        super().__init__()
        self.files = dict(files)
        self.modes: dict[str, int] = {}
        self.folders: set[str] = set()
        self.version = 3
        self.extensions: dict[bytes, bytes] = {b"posix-rename@openssh.com": b"1"}
        self.most_bytes = 1 << 20
        self.piece_bytes = DATA_PACKET_BYTES
        self.spoil: Spoil = lambda _kind, _count: None
        self.delayed = 0
        self.asked: list[int] = []
        self.most_ahead = 0
        self.open_handles: dict[bytes, str] = {}
        self._received: dict[Channel, bytes] = {}
        self._held_back: list[bytes] = []
        self._opened = 0
        self.on_stdin = self._take
        self.grants = True

    # --- the protocol --------------------------------------------------------------------------

    def _take(self, channel: Channel, data: bytes) -> None:
        if self.grants:
            self.says(channel, common.MSG_CHANNEL_WINDOW_ADJUST, len(data))
        received = self._received.get(channel, b"") + data
        while len(received) >= 4 and len(received) >= 4 + int.from_bytes(received[:4], "big"):
            size = int.from_bytes(received[:4], "big")
            request, received = received[4 : 4 + size], received[4 + size :]
            self._answer(channel, request[0], request[1:])
        self._received[channel] = received

    def _answer(self, channel: Channel, kind: int, rest: bytes) -> None:
        count = self.asked.count(kind)
        self.asked.append(kind)
        if kind == INIT:
            extensions = b"".join(string(k) + string(v) for k, v in self.extensions.items())
            answer = bytes([VERSION]) + struct.pack(">I", self.version) + extensions
            self._send(channel, self.spoil(kind, count) or answer)
            return
        number, body = rest[:4], rest[4:]
        answer = self.spoil(kind, count) or self._do(kind, body)
        self._held_back.append(answer[:1] + number + answer[1:])
        self.most_ahead = max(self.most_ahead, len(self._held_back))
        if len(self._held_back) > self.delayed:
            self._send(channel, self._held_back.pop())

    def pump(self) -> None:
        """Let the held answers go when nothing else is under way."""
        if self.silent and self._held_back:
            self._send(self.channels[-1], self._held_back.pop())
        super().pump()

    def _send(self, channel: Channel, answer: bytes) -> None:
        data = struct.pack(">I", len(answer)) + answer
        for at in range(0, len(data), self.piece_bytes):
            self.writes(channel, data[at : at + self.piece_bytes])

    # --- the files -----------------------------------------------------------------------------

    def _do(self, kind: int, body: bytes) -> Answer:
        fields = _Fields(body)
        if kind == EXTENDED:
            assert fields.string() == b"posix-rename@openssh.com"
        first = fields.string()
        if kind == STAT:
            return self._stat(_path(first))
        if kind == OPEN:
            return self._open_file(_path(first), fields.number(4))
        if kind == REMOVE:
            return status(OK if self.files.pop(_path(first), None) is not None else NO_FILE)
        if kind in {RENAME, EXTENDED}:
            return self._rename(_path(first), _path(fields.string()), over=kind == EXTENDED)
        return self._with_handle(kind, first, fields)

    def _with_handle(self, kind: int, handle: bytes, fields: _Fields) -> Answer:
        path = self.open_handles.get(handle)
        if path is None:
            return status(FAILED, b"no such handle")
        if kind == CLOSE:
            del self.open_handles[handle]
        elif kind == FSETSTAT:
            fields.number(4)
            self.modes[path] = fields.number(4)
        elif kind == WRITE:
            at, data = fields.number(8), fields.string()
            self.files[path] = self.files[path][:at].ljust(at, b"\0") + data
        elif kind == READ:
            at, size = fields.number(8), min(fields.number(4), self.most_bytes)
            data = self.files[path][at : at + size]
            return bytes([DATA]) + string(data) if data else status(END)
        return status(OK)

    def _stat(self, path: str) -> Answer:
        if path in self.folders:
            return bytes([ATTRS]) + struct.pack(">II", 4, 0o040755)
        if path not in self.files:
            return status(NO_FILE, b"No such file")
        size, mode = len(self.files[path]), 0o100000 | self.modes.get(path, 0o644)
        return bytes([ATTRS]) + struct.pack(">IQIII", 7, size, 0, 0, mode)

    def _open_file(self, path: str, flags: int) -> Answer:
        exists = path in self.files
        if exists == (flags == CREATE_EXCLUSIVELY):
            return status(FAILED if exists else NO_FILE)
        self.files.setdefault(path, b"")
        self._opened += 1
        handle = b"handle%d" % self._opened
        self.open_handles[handle] = path
        return bytes([HANDLE]) + string(handle)

    def _rename(self, source: str, target: str, *, over: bool) -> Answer:
        if target in self.files and not over:
            return status(FAILED, b"target exists")
        self.files[target] = self.files.pop(source)
        return status(OK)


class _Fields:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, size: int) -> int:
        taken, self._data = self._data[:size], self._data[size:]
        return int.from_bytes(taken, "big")

    def string(self) -> bytes:
        size = self.number(4)
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def _path(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
