"""Writing to a known_hosts file: under a lock, one writer at a time, whole lines or nothing."""

from __future__ import annotations

import base64
import errno
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetrun.ssh.known_hosts import Entry, HostKey, KnownHosts, entry_added, read_known_hosts

_one_writer = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLine:
    """A line to be written: a name as known_hosts spells it, and its key."""

    name: str
    key: HostKey

    @property
    def text(self) -> str:
        """The line, without its end."""
        return f"{self.name} {self.key.key_type} {base64.b64encode(self.key.blob).decode()}"


class LockedFile:
    """A known_hosts file that nobody else is writing. Made by `locked_file`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def matching(self, name: str) -> list[Entry]:
        """Return the entries for a name, as they are now."""
        return list(read_known_hosts(self._path).matching(name))

    def append(self, line: KnownLine) -> Entry:
        """Append a line: one write, then to the disk; after a failure nothing of it is left.

        Returns what is in the file from then on.
        """
        before = os.fstat(self._descriptor).st_size
        new = self._line_end() + line.text.encode() + b"\n"
        try:
            _write_whole(self._descriptor, new)
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
        after = before + len(new)
        return entry_added(self._path, line.name, line.key, before=before, after=after)

    def _line_end(self) -> bytes:
        """Return what ends the last line, if it has no end yet."""
        if os.fstat(self._descriptor).st_size == 0:
            return b""
        os.lseek(self._descriptor, -1, os.SEEK_END)
        return b"" if os.read(self._descriptor, 1) == b"\n" else b"\n"

    def replace(self, name: str, lines: Iterable[KnownLine]) -> None:
        """Put the lines in the place of the plain ones that name this host.

        Its name is taken out of lines that name others too. Lines with a marker and lines with
        patterns stay: they were not written for this host alone. The new content is written beside
        the file and renamed over it, so that the file is never without either. Nothing can be
        written to the file by this object after that.
        """
        kept = [_without(line, name) for line in self._path.read_bytes().splitlines(keepends=True)]
        content = b"".join(kept)
        start = b"\n" if content and not content.endswith(b"\n") else b""
        added = "".join(f"{line.text}\n" for line in lines)
        _write_beside(self._path, content + start + added.encode())


def _write_beside(path: Path, content: bytes) -> None:
    """Replace the file in one step by one with that content, and the same mode and owner."""
    status = path.stat()
    temporary = path.with_name(f"{path.name}.fleetrun-new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(stat.S_IMODE(status.st_mode))
        if os.name == "posix" and status.st_uid != temporary.stat().st_uid:
            os.chown(temporary, status.st_uid, status.st_gid)  # root, at work for somebody else
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write in one call, so that no two writers' lines mix; less than all is a failure."""
    if os.write(descriptor, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _without(line: bytes, name: str) -> bytes:
    """Return the line without the name; nothing when there was no other name in it."""
    words = line.split(maxsplit=1)
    if len(words) < 2 or words[0].startswith((b"#", b"@")):  # noqa: PLR2004 (names and the rest)
        return line
    names = words[0].decode("latin-1")
    if names.startswith("|"):
        entry = KnownHosts.parse([line], source="")
        return b"" if any(entry.matching(name)) else line
    others = [each for each in names.split(",") if each.lower() != name.lower()]
    if len(others) == len(names.split(",")):
        return line
    return ",".join(others).encode("latin-1") + b" " + words[1] if others else b""


@contextmanager
def locked_file(path: Path) -> Iterator[LockedFile]:
    """Open the file for writing, made if it is missing, and keep all other writers away.

    Other threads are kept away by a lock, other processes by one on the file (not on Windows). A
    link is followed, and stays one.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_writer:
        descriptor = _open_locked(path)
        try:
            yield LockedFile(path, descriptor)
        finally:
            os.close(descriptor)


def _open_locked(path: Path) -> int:
    """Return a locked descriptor of the file that the path names now, not of one replaced since."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            _lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        import fcntl  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
