"""Copying files of a host to this machine."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fleetrun.errors import Refused, UsageError
from fleetrun.events import Emit
from fleetrun.hosts import Host
from fleetrun.operations.ending import Ending
from fleetrun.session import RemoteFiles, Session


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
                _get_one(files, source, place)
                written.append(str(place))
        except (Refused, OSError) as error:
            return Ending(refused=str(error), files=tuple(written))
        finally:
            files.close()
        return Ending(done=True, files=tuple(written))


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
    # a short name of its own: the file's may be as long as names can be
    temporary = place.with_name(f".fleetrun-{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as local:
            received = sum(map(local.write, files.read(source)))
            if info.mode is not None:
                temporary.chmod(info.mode & 0o777)
        if info.size_bytes is not None and received != info.size_bytes > 0:
            raise Refused(
                f"{source}: {received} bytes came and the host had said {info.size_bytes}; "
                "it changed while it was read, or the disk is wrong. Try again"
            )
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
