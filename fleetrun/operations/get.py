"""Copying files of a host to this machine: home, wherever the host is worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fleetrun import home
from fleetrun.errors import Refused, SessionError, UsageError
from fleetrun.events import Emit
from fleetrun.hosts import Host
from fleetrun.operations.ending import Ending, Interrupted
from fleetrun.operations.places import Unfinished, abandon, begin, local_place
from fleetrun.session import RemoteFiles, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """Copy remote files to `DEST/HOST/path` on this machine.

    Each file is written under a temporary name beside its place, readable by you alone, and renamed
    when it is whole, with its permission bits. The remote path is kept below the host's folder:
    `/etc/hosts` becomes `DEST/HOST/etc/hosts`. A link there is never followed or replaced.

    A file that grows meanwhile arrives as long as it was when it was asked for; one that shrinks is
    refused. What says that it has no bytes, as files in /proc do, is read to its end.

    Attributes:
        sources: remote files; `..` is refused, since it could lead out of the host's folder.
        target: local folder; made when it is missing.
    """

    sources: tuple[str, ...]
    target: Path

    def __post_init__(self) -> None:
        if not self.sources:
            raise UsageError("no file to get was named")
        # elsewhere it cannot be seen, and home has looked already
        if not home.is_away() and self.target.exists() and not self.target.is_dir():
            raise UsageError(f"{self.target}: is not a folder")
        for source in self.sources:
            if source.endswith("/") or not source:
                raise UsageError(f"{source!r} does not name a file, and only files can be fetched")
            if ".." in PurePosixPath(source).parts:
                raise UsageError(f"{source!r} does not name a file; give a path without '..'")
            if "\0" in source:
                raise UsageError(f"{source!r} has a NUL byte in it, which no path can have")
        places = [local_place(self.target, "", source) for source in self.sources]
        if len(set(places)) < len(places):
            raise UsageError("two of the files would have the same place on this machine")

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:  # noqa: ARG002
        """Copy them, in order, stopping at the first refusal."""
        files = session.files(timeout_s=host.command_timeout_s)
        written: list[str] = []
        try:
            for source in self.sources:
                place = local_place(self.target, host.name, source)
                _get_one(files, source, self.target, place)
                written.append(str(place))
        except Refused as refusal:
            return Ending(refused=str(refusal), files=tuple(written))
        except OSError as error:
            reason = f"{error.filename or place}: cannot be written: {error.strerror}"
            return Ending(refused=reason, files=tuple(written))
        except SessionError as error:
            raise Interrupted(Ending(files=tuple(written)), error) from error
        finally:
            files.close()
        return Ending(done=True, files=tuple(written))

    def abandon(self, host: Host) -> None:
        """Remove what a worker elsewhere has begun here for a host, and will not finish.

        Called at home. Does nothing when there is nothing; should the worker live after all, its
        next piece is refused.
        """
        abandon({local_place(self.target, host.name, source) for source in self.sources})


def _get_one(files: RemoteFiles, source: str, target: Path, place: Path) -> None:
    info = files.info(source)
    if info is None:
        raise Refused(f"{source}: no such file on the host")
    if info.is_folder:
        raise Refused(f"{source}: is a folder; only files can be fetched")
    if info.is_special:  # /dev/zero has no end, and a pipe that nobody writes to has no beginning
        raise Refused(f"{source}: is a device, pipe or socket; only files can be fetched")
    local = begin(target, place)
    try:
        with contextlib.closing(files.read(source)) as pieces:
            _receive(source, pieces, local, info.size_bytes or None)
        local.finish(info.mode)
    finally:
        local.discard()


def _receive(
    source: str, pieces: Iterable[bytes], local: Unfinished, size_bytes: int | None
) -> None:
    """Write the pieces, up to the size if there is one; refuse when they are fewer bytes."""
    received = 0
    for piece in pieces:
        wanted = piece if size_bytes is None else piece[: size_bytes - received]
        local.write(wanted)
        received += len(wanted)
        if received == size_bytes:
            return
    if size_bytes is not None:
        raise Refused(
            f"{source}: {received} bytes came and the host had said {size_bytes}; "
            "it changed while it was read, or the disk is wrong. Try again"
        )
