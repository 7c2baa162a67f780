"""What to do on a host once a session is there. Layer 3 of the road.

An operation is frozen, picklable data with one method, `perform`, which uses a `Session` and
returns an `Ending`. It knows nothing of SSH, threads or other hosts.

    Exec   run a command, feed it stdin, keep what it writes
    Put    local files ─► temporary names ─► checked ─► renamed into place
    Get    remote files ─► temporary names ─► renamed to DEST/HOST/path
"""

from __future__ import annotations

import os
import posixpath
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fleetrun.errors import Refused, SessionError, UsageError
from fleetrun.events import Emit, Output
from fleetrun.hosts import Host
from fleetrun.results import Stream
from fleetrun.session import RemoteFiles, Session

DEFAULT_OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024
"""How much of each stream a result keeps, head and tail half each, unless told otherwise."""

_PIECE_BYTES = 32 * 1024
"""Bytes a read from disk: what one SFTP write carries (servers must take 34,000-byte packets)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an operation ended on a host that answered to the end.

    Attributes:
        exit_status: the command's status; None for transfers and when none was sent.
        signal: the signal that ended the command, without SIG; None without one.
        stdout: what was kept of it.
        stderr: likewise.
        stdout_bytes: how much there was.
        stderr_bytes: likewise.
        refused: why a transfer did not happen; None when it did.
        note: a sentence about an unusual end; None otherwise.
        files: what was written.
    """

    exit_status: int | None = None
    signal: str | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    refused: str | None = None
    note: str | None = None
    files: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Run a command in the login shell of the host's user.

    Attributes:
        command: the command line, handed to the host as it is.
        stdin: what it reads; nothing by default, so that it sees the end of input at once.
        output_limit_bytes: how much of each stream the result keeps.
        live: whether output is also emitted as it comes.
    """

    command: str
    stdin: bytes = b""
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    live: bool = False

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise UsageError("the command is empty")
        if "\0" in self.command:
            raise UsageError("the command has a NUL byte in it, which no shell can take")

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:
        """Run it; the ending has a status, or a signal, or neither when the host sent neither."""
        captures = {stream: Capture(self.output_limit_bytes) for stream in Stream}

        def take(stream: Stream, data: bytes) -> None:
            captures[stream].add(data)
            if self.live:
                emit(Output(host=host.name, stream=stream, data=data))

        try:
            end = session.run(
                self.command,
                stdin=self.stdin,
                on_output=take,
                timeout_s=host.command_timeout_s,
            )
        except SessionError as error:
            raise Interrupted(_ending(captures), error) from error
        return _ending(captures, exit_status=end.exit_status, signal=end.signal, note=end.note)


class Interrupted(Exception):
    """A session error, with what the command had written until then. Caught by `run_job` alone."""

    def __init__(self, so_far: Ending, error: SessionError) -> None:
        super().__init__(str(error))
        self.so_far = so_far
        self.error = error


def _ending(
    captures: dict[Stream, Capture],
    *,
    exit_status: int | None = None,
    signal: str | None = None,
    note: str | None = None,
) -> Ending:
    out, err = captures[Stream.STDOUT], captures[Stream.STDERR]
    return Ending(
        exit_status=exit_status,
        signal=signal,
        note=note,
        stdout=out.kept,
        stderr=err.kept,
        stdout_bytes=out.total_bytes,
        stderr_bytes=err.total_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Copy local files to the host.

    Each file is written under a temporary name in its target folder, read back in size, and
    renamed over the target in one step, with its permission bits. Until then an old file stays as
    it was; after a refusal the temporary file is removed.

    Attributes:
        sources: local files. Folders are refused.
        target: remote path; `""` means the login folder. It is taken as a folder when it ends in
            `/`, when it is one, or when there are several sources.
    """

    sources: tuple[Path, ...]
    target: str = ""

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("no file to put was named")
        for source in self.sources:
            if source.is_dir():
                raise UsageError(f"{source}: is a folder; only files can be put")
            if not source.is_file():
                raise UsageError(f"{source}: no such file")
            if not os.access(source, os.R_OK):
                raise UsageError(f"{source}: cannot be read")
        names = [source.name for source in self.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise UsageError(f"two of the files are named {twice}: one would replace the other")

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:  # noqa: ARG002
        """Copy them, in order, stopping at the first refusal."""
        files = session.files(timeout_s=host.command_timeout_s)
        written: list[str] = []
        try:
            into_folder = self._into_folder(files)
            for source in self.sources:
                target = posixpath.join(self.target, source.name) if into_folder else self.target
                _put_one(files, source, target)
                written.append(target)
        except (Refused, OSError) as error:
            return Ending(refused=str(error), files=tuple(written))
        finally:
            files.close()
        return Ending(files=tuple(written))

    def _into_folder(self, files: RemoteFiles) -> bool:
        if not self.target or self.target.endswith("/"):
            return True
        info = files.info(self.target)
        is_folder = info is not None and info.is_folder
        if len(self.sources) > 1 and not is_folder:
            raise Refused(f"{self.target}: is not a folder, and several files were to go there")
        return is_folder


def _put_one(files: RemoteFiles, source: Path, target: str) -> None:
    temporary = f"{target}.fleetrun-{secrets.token_hex(4)}"
    with source.open("rb") as local:
        mode = os.fstat(local.fileno()).st_mode & 0o777
        created = False

        def pieces() -> Iterator[bytes]:
            nonlocal created
            created = True  # asked for its first piece, the server has opened the file
            while piece := local.read(_PIECE_BYTES):
                yield piece

        try:
            size_bytes = files.write(temporary, pieces(), mode=mode)
            _check_size(files, temporary, target, size_bytes)
            files.replace(temporary, target)
        except (Refused, OSError):
            if created:
                _remove_quietly(files, temporary)
            raise


def _check_size(files: RemoteFiles, temporary: str, target: str, size_bytes: int) -> None:
    info = files.info(temporary)
    arrived = None if info is None else info.size_bytes
    if arrived != size_bytes:
        raise Refused(
            f"{target}: {size_bytes} bytes were sent and the host says that {arrived} arrived; "
            "the old file was left as it was"
        )


def _remove_quietly(files: RemoteFiles, path: str) -> None:
    try:
        files.remove(path)
    except Refused:
        return  # the first refusal is the one to report


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """Copy remote files to `DEST/HOST/path` on this machine.

    Each file is written under a temporary name beside its place and renamed when it is whole and
    as long as the host said, with its permission bits. The remote path is kept below the host's
    folder: `/etc/hosts` becomes `DEST/HOST/etc/hosts`.

    Attributes:
        sources: remote files; `..` is refused, since it could lead out of the host's folder.
        target: local folder; made when it is missing.
    """

    sources: tuple[str, ...]
    target: Path

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("no file to get was named")
        if self.target.exists() and not self.target.is_dir():
            raise UsageError(f"{self.target}: is not a folder")
        for source in self.sources:
            if ".." in PurePosixPath(source).parts or source.endswith("/") or not source:
                raise UsageError(f"{source!r} does not name a file; give a path without '..'")

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:  # noqa: ARG002
        """Copy them, in order, stopping at the first refusal."""
        files = session.files(timeout_s=host.command_timeout_s)
        written: list[str] = []
        try:
            for source in self.sources:
                place = local_place(self.target, host.name, source)
                _get_one(files, source, place)
                written.append(str(place))
        except (Refused, OSError) as error:
            return Ending(refused=str(error), files=tuple(written))
        finally:
            files.close()
        return Ending(files=tuple(written))


def local_place(target: Path, host: str, source: str) -> Path:
    """Return where a host's file goes: below target, in a folder named after the host."""
    return target.joinpath(host.replace("/", "_"), *PurePosixPath("/", source).parts[1:])


def _get_one(files: RemoteFiles, source: str, place: Path) -> None:
    info = files.info(source)
    if info is None:
        raise Refused(f"{source}: no such file on the host")
    if info.is_folder:
        raise Refused(f"{source}: is a folder; only files can be fetched")
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.fleetrun-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as local:
            received = sum(map(local.write, files.read(source)))
            if info.mode is not None:
                _set_mode(temporary, info.mode)
        if info.size_bytes is not None and received != info.size_bytes > 0:
            raise Refused(
                f"{source}: {received} bytes came and the host had said {info.size_bytes}; "
                "it changed while it was read, or the disk is wrong. Try again"
            )
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def _set_mode(path: Path, mode: int) -> None:
    chmod: Callable[[int], None] = path.chmod
    chmod(mode & 0o777)


Operation = Exec | Put | Get
