"""The files at home that are put on hosts, wherever the hosts are worked on. Layer 3, below `put`.

    at home    file ──────────────────────────────────────────► each host
    elsewhere  file ─► pieces, when first wanted ─► one copy ─► each host of this process

Elsewhere a file is brought once, however many hosts it is for: into a temporary file without a
name, which ends with the process, however that ends. It grows as the first host wants more of it,
and whoever comes later finds it there. Before each host, home is asked what it would be now; when
its size or its time of change is another, it is brought anew.
"""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fleetrun import home
from fleetrun.errors import Refused

_PIECE_BYTES = 32 * 1024
"""Bytes a read from disk: what one SFTP write carries (servers must take 34,000-byte packets).
`home.PIECE_BYTES` is a multiple of it, so that no read ends where a copy has yet to grow."""

_MOST_IDLE = 64
"""How many copies are kept that no host is using: each takes a descriptor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that is open for one host.

    Attributes:
        mode: its permission bits.
        pieces: its content, in pieces of 32 KiB at most. Raises, as they are taken, `OSError` when
            it cannot be read, and elsewhere than at home also what `fleetrun.home.ask` raises, and
            `Refused` when it has changed meanwhile or its copy finds no room.
    """

    mode: int
    pieces: Iterator[bytes]


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file that is at home. For any number of threads at once.

    Raises `OSError` with home's reason when it cannot be read there, and elsewhere than at home
    also what the pieces raise.
    """
    if home.is_away():
        with _COPIES.opened(path) as source:
            yield source
    else:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            yield Source(mode=mode, pieces=iter(partial(file.read, _PIECE_BYTES), b""))


def drop_copies() -> None:
    """Drop the copies that no host is using: what is wanted again is brought again."""
    _COPIES.drop_idle(but=0)


# --- what home is asked --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What tells a file from itself after a change; its permission bits are none of it."""

    size_bytes: int
    changed_at_ns: int
    mode: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StateOf:
    """Asks for a file's state, and whether it can be read."""

    path: Path

    def answer(self) -> _State:
        with _opened_at_home(self.path) as file:
            return _state(file)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PieceOf:
    """Asks for `home.PIECE_BYTES` of a file, fewer at its end, as long as it is in that state."""

    path: Path
    state: _State
    offset: int

    def answer(self) -> bytes:
        with _opened_at_home(self.path) as file:
            file.seek(self.offset)
            piece = file.read(home.PIECE_BYTES)
            if _state(file) != self.state:  # looked at last: also what was read is of that state
                raise Refused(f"{self.path}: it changed while it was being copied. Try again")
        return piece


@contextmanager
def _opened_at_home(path: Path) -> Iterator[BinaryIO]:
    """Open a file, and nothing else that may have come in its place since the run began."""
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Refused(f"{path}: is a device, pipe or socket; only files can be put")
        yield file


def _without_waiting(path: str, flags: int) -> int:
    """Open at once also a pipe that nobody writes to: a whole run would wait for the answer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _state(file: BinaryIO) -> _State:
    found = os.fstat(file.fileno())
    mode = found.st_mode & 0o777
    return _State(size_bytes=found.st_size, changed_at_ns=found.st_mtime_ns, mode=mode)


# --- copies in this process ----------------------------------------------------------------------


class _Copy:
    """A copy of a file at home, in one state, as far as it was wanted. For any number of threads.

    Attributes:
        path: the file at home.
        state: what it was when the copy was begun.
        users: for how many hosts it is open.
    """

    def __init__(self, path: Path, state: _State) -> None:
        self.path = path
        self.state = state
        self.users = 0
        self._lock = threading.Lock()
        self._size_bytes = 0
        self._whole = False
        with _having_room(path):
            # closed by `close`
            self._file = tempfile.TemporaryFile(prefix="fleetrun-", buffering=0)  # noqa: SIM115

    def pieces(self) -> Iterator[bytes]:
        """Yield the content, from the beginning, waiting for what has yet to be brought."""
        offset = 0
        while piece := self._piece_at(offset):
            yield piece
            offset += len(piece)

    def close(self) -> None:
        """Give back its room; nobody may be using it."""
        self._file.close()

    def _piece_at(self, offset: int) -> bytes:
        if self._ends_at(offset):
            with self._lock:
                if self._ends_at(offset):  # nobody else has brought it while this one waited
                    self._grow()
        return os.pread(self._file.fileno(), _PIECE_BYTES, offset)

    def _ends_at(self, offset: int) -> bool:
        return offset == self._size_bytes and not self._whole

    def _grow(self) -> None:
        piece = home.ask(_PieceOf(path=self.path, state=self.state, offset=self._size_bytes))
        with _having_room(self.path):
            _write_at(self._file.fileno(), piece, self._size_bytes)
        self._whole = len(piece) < home.PIECE_BYTES
        self._size_bytes += len(piece)


@contextmanager
def _having_room(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(
            f"{path}: a copy cannot be kept on the machine that works on the host: {error.strerror}"
        ) from error


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


class _Copies:
    """The copies of this process, by the path of what they are of, the last one used at the end.

    One that is replaced or dropped is closed when the last host that uses it has left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[Path, _Copy] = {}

    @contextmanager
    def opened(self, path: Path) -> Iterator[Source]:
        """Open the copy of a file as it is now, for one host."""
        state = home.ask(_StateOf(path=path))
        copy = self._take(path, state)
        try:
            yield Source(mode=state.mode, pieces=copy.pieces())
        finally:
            self._leave(copy)

    def drop_idle(self, *, but: int) -> None:
        """Drop those that no host is using, but so many of those that were used last."""
        with self._lock:
            idle = [copy for copy in self._copies.values() if not copy.users]
            for copy in idle[: max(0, len(idle) - but)]:
                del self._copies[copy.path]
                copy.close()

    def _take(self, path: Path, state: _State) -> _Copy:
        """Return the copy in that state, for one user more; begin it if there is none."""
        with self._lock:
            copy = self._copies.pop(path, None)
            if copy is None or not _holds(copy.state, state):
                self._close_unused(copy)
                copy = _Copy(path, state)
            self._copies[path] = copy
            copy.users += 1
            return copy

    def _leave(self, copy: _Copy) -> None:
        with self._lock:
            copy.users -= 1
            if self._copies.get(copy.path) is not copy:
                self._close_unused(copy)
        self.drop_idle(but=_MOST_IDLE)

    @staticmethod
    def _close_unused(copy: _Copy | None) -> None:
        if copy is not None and not copy.users:
            copy.close()


def _holds(brought: _State, state: _State) -> bool:
    """Whether what was brought is what it would be now; never known of what tells no size."""
    return brought == state and state.size_bytes > 0


_COPIES = _Copies()
"""Of this process; empty at home."""
