"""Where fetched files go: at home, wherever the host is worked on. Layer 3, below `get`.

    at home    host ─► pieces ──────────────────────────────► temporary file ─► its place
    elsewhere  host ─► pieces ─► 256 KiB, acknowledged by home ─► temporary file ─► its place

Elsewhere no more is asked of the host until home has written what came before: a slow disk at home
slows the host. Between two such pieces home holds no descriptor, since very many files may be on
their way at once; what it does hold is the name of each temporary file. That is removed when the
worker says that it comes to nothing, when the job is given up because its worker is gone
(`abandon`), and, should neither happen, when the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from fleetrun import home
from fleetrun.errors import Refused, SessionError


def local_place(target: Path, host: str, source: str) -> Path:
    """Return where a host's file goes: below target, in a folder named after the host."""
    return target.joinpath(host.replace("/", "_"), *PurePosixPath("/", source).parts[1:])


class Unfinished(Protocol):
    """A file that is being fetched. Raises `OSError` when home cannot write it."""

    def write(self, data: bytes) -> None:
        """Add the data."""

    def finish(self, mode: int | None) -> None:
        """Give the whole file its permission bits, if they are known, and its place."""

    def discard(self) -> None:
        """Leave nothing of what is not finished. Does nothing when it is. Never raises."""


def begin(target: Path, place: Path) -> Unfinished:
    """Begin a file at its place; the one who begins it finishes or discards it.

    Raises `Refused` when a link below the target leads to the place, at once or with a later call.
    """
    return _Homewards(target, place) if home.is_away() else _HomeFile(target, place)


def abandon(places: Collection[Path]) -> None:
    """Remove what workers elsewhere have begun here for any of the places, and will not finish.

    Called at home. Does nothing when there is nothing; should a worker live after all, its next
    piece is refused.
    """
    for token, unfinished in list(_from_elsewhere.items()):
        if unfinished.place in places:
            _forget(token)


# --- at home -------------------------------------------------------------------------------------


class _HomeFile:
    """A file under a temporary name beside its place, readable by its owner alone.

    It is open from the beginning, and again when it is written to after a rest. Raises `Refused`
    when a link leads to the place.

    Attributes:
        place: where it goes.
        size_bytes: how much has been written.
    """

    def __init__(self, target: Path, place: Path) -> None:
        _refuse_links(target, place)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.size_bytes = 0
        # a short name of its own: the file's may be as long as names can be
        self._temporary = place.with_name(f".fleetrun-{secrets.token_hex(6)}")
        self._file: BinaryIO = open(self._temporary, "xb", opener=_for_ourselves)  # noqa: SIM115

    def write(self, data: bytes) -> None:
        """Add the data."""
        if self._file.closed:
            self._file = open(self._temporary, "r+b", opener=_not_following)  # noqa: SIM115
            self._file.seek(self.size_bytes)
        self.size_bytes += self._file.write(data)

    def rest(self) -> None:
        """Hold no descriptor until more is written."""
        self._file.close()

    def finish(self, mode: int | None) -> None:
        """Give the whole file its permission bits, if they are known, and its place."""
        self._file.close()
        if mode is not None:
            self._temporary.chmod(mode & 0o777)
        self._temporary.replace(self.place)

    def discard(self) -> None:
        """Remove it unless it is finished. Never raises."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def _refuse_links(target: Path, place: Path) -> None:
    """Refuse a place that a link leads to: what is below it may be anywhere on this machine."""
    for path in (place, *place.parents):
        if path == target:
            return
        if path.is_symlink():
            raise Refused(f"{path}: is a link, which could lead anywhere; remove it first")


def _for_ourselves(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _not_following(path: str, flags: int) -> int:
    """Open what was left a while ago, unless somebody has put a link there."""
    return os.open(path, flags | os.O_NOFOLLOW)


_from_elsewhere: dict[str, _HomeFile] = {}
"""What workers elsewhere have begun here, by the token that each has given its file."""


@atexit.register
def _forget_all() -> None:
    for token in list(_from_elsewhere):
        _forget(token)


def _forget(token: str) -> None:
    unfinished = _from_elsewhere.pop(token, None)
    if unfinished is not None:
        unfinished.discard()


# --- elsewhere -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Brings home a piece of a file: the first begins it, the last gives it its place.

    Attributes:
        token: what the file is called between here and home.
        target: the folder below which nothing may be a link.
        place: where it goes.
        offset: how much has been brought before.
        data: the piece.
        last: whether it is the last one.
        mode: permission bits, None when they are not known; of the last piece alone.
    """

    token: str
    target: Path
    place: Path
    offset: int
    data: bytes
    last: bool = False
    mode: int | None = None

    def answer(self) -> None:
        unfinished = self._begun()
        try:
            unfinished.write(self.data)
            if self.last:
                unfinished.finish(self.mode)
            else:
                unfinished.rest()
        except BaseException:
            unfinished.discard()
            raise
        if not self.last:
            _from_elsewhere[self.token] = unfinished

    def _begun(self) -> _HomeFile:
        """Return the file, as far as it has been brought."""
        if self.offset == 0:
            return _HomeFile(self.target, self.place)
        unfinished = _from_elsewhere.pop(self.token, None)
        if unfinished is None:
            raise Refused(f"{self.place}: its beginning was removed, as its worker seemed gone")
        if unfinished.size_bytes != self.offset:
            unfinished.discard()
            raise Refused(
                f"{self.place}: {unfinished.size_bytes} bytes have come home and {self.offset} "
                "were brought; the connection to the worker is wrong. Try again"
            )
        return unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class _NoMore:
    """Says at home that no more comes of a file that was begun."""

    token: str

    def answer(self) -> None:
        _forget(self.token)


class _Homewards:
    """A file that is written at home, from elsewhere, so many bytes at a time."""

    def __init__(self, target: Path, place: Path) -> None:
        self._target = target
        self._place = place
        self._token = secrets.token_hex(16)
        self._gathered = bytearray()
        self._brought_bytes = 0
        self._begun = False

    def write(self, data: bytes) -> None:
        """Add the data; returns when home has written all but a piece of it."""
        self._gathered += data
        while len(self._gathered) > home.PIECE_BYTES:
            self._bring(bytes(self._gathered[: home.PIECE_BYTES]))
            del self._gathered[: home.PIECE_BYTES]

    def finish(self, mode: int | None) -> None:
        """Bring the rest, and have home give the whole file its permission bits and its place."""
        self._bring(bytes(self._gathered), last=True, mode=mode)
        self._begun = False

    def discard(self) -> None:
        """Tell home that no more comes, unless it is finished. Never raises."""
        if self._begun:
            self._begun = False
            with contextlib.suppress(SessionError, OSError):  # home tidies up without being told
                home.ask(_NoMore(token=self._token))

    def _bring(self, data: bytes, *, last: bool = False, mode: int | None = None) -> None:
        self._begun = True
        piece = _Piece(
            token=self._token,
            target=self._target,
            place=self._place,
            offset=self._brought_bytes,
            data=data,
            last=last,
            mode=mode,
        )
        home.ask(piece)
        self._brought_bytes += len(data)
