"""Copying local files to a host. The files are at home; see `fleetrun.operations.sources`."""

from __future__ import annotations

import os
import posixpath
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetrun import home
from fleetrun.errors import Refused, SessionError, UsageError
from fleetrun.events import Emit
from fleetrun.hosts import Host
from fleetrun.operations.ending import Ending, Interrupted
from fleetrun.operations.sources import Source, opened
from fleetrun.session import RemoteFiles, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Copy local files to the host.

    Each file is written under a temporary name in its target folder, read back in size, and
    renamed over the target in one step, with its permission bits. Until then an old file stays as
    it was; when it comes to nothing, the temporary file is removed, or named in the error. A link
    at the target is replaced, not followed.

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
        if not home.is_away():  # elsewhere they cannot be seen, and home has looked already
            for source in self.sources:
                _check_source(source)
        if "\0" in self.target:
            raise UsageError("the target has a NUL byte in it, which no path can have")
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
        except Refused as refusal:
            return Ending(refused=str(refusal), files=tuple(written))
        except SessionError as error:
            raise Interrupted(Ending(files=tuple(written)), error) from error
        finally:
            files.close()
        return Ending(done=True, files=tuple(written))

    def _into_folder(self, files: RemoteFiles) -> bool:
        if not self.target or self.target.endswith("/"):
            return True
        info = files.info(self.target)
        if info is not None and info.is_special:
            raise Refused(f"{self.target}: is a device, pipe or socket; no file takes its place")
        is_folder = info is not None and info.is_folder
        if len(self.sources) > 1 and not is_folder:
            raise Refused(f"{self.target}: is not a folder, and several files were to go there")
        return is_folder


def _check_source(source: Path) -> None:
    if source.is_dir():
        raise UsageError(f"{source}: is a folder; only files can be put")
    if not source.exists():
        raise UsageError(f"{source}: no such file")
    if not source.is_file():
        raise UsageError(f"{source}: is a device, pipe or socket; only files can be put")
    if not os.access(source, os.R_OK):
        raise UsageError(f"{source}: cannot be read")


def _put_one(files: RemoteFiles, source: Path, target: str) -> None:
    try:
        with opened(source) as local:
            _write_and_rename(files, local, target)
    except OSError as error:
        raise Refused(f"{source}: cannot be read: {error.strerror}") from error


def _write_and_rename(files: RemoteFiles, local: Source, target: str) -> None:
    # a short name of its own: the target's may be as long as names can be
    temporary = posixpath.join(posixpath.dirname(target), f".fleetrun-{secrets.token_hex(6)}")
    content = _Content(local)
    try:
        size_bytes = files.write(temporary, content, mode=local.mode)
        _check_size(files, temporary, target, size_bytes)
        files.replace(temporary, target)
    except OSError:
        files.discard(temporary)
        raise
    except SessionError as error:
        never_made = isinstance(error, Refused) and not content.begun
        told = str(error).replace(temporary, target)  # the file has no other name for its user
        if not never_made and not files.discard(temporary):
            told += f"; {temporary} may be left on the host"
        raise type(error)(told) from error


@dataclass(slots=True)
class _Content:
    """A file's content, in pieces; begun when they are wanted."""

    source: Source
    begun: bool = False

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        return self.source.pieces


def _check_size(files: RemoteFiles, temporary: str, target: str, size_bytes: int) -> None:
    info = files.info(temporary)
    arrived = None if info is None else info.size_bytes
    if arrived != size_bytes:
        raise Refused(
            f"{target}: {size_bytes} bytes were sent and the host says that {arrived} arrived; "
            "the old file was left as it was"
        )
