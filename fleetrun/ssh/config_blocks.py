"""ssh_config files, their includes among them, as one list of blocks. Fourth step of the reader.

Host web*          ─► block (patterns)          its lines
  Include extra    ─►   block (Host in it)      its lines; only where the outer one fits
  User deploy      ─► the outer block goes on   its lines
"""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleetrun.errors import UsageError
from fleetrun.ssh.config_lines import Line, parse_lines
from fleetrun.ssh.config_match import (
    Condition,
    MatchCriteria,
    parse_host_line,
    parse_match_line,
)
from fleetrun.ssh.config_tokens import expand_home

MAX_DEPTH = 16
"""How deep files may include files, as ssh has it."""

_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """What begins at a `Host` or `Match` line, or at the beginning of a file.

    Attributes:
        condition: which hosts it is for; None means all.
        outer: the block whose `Include` led here, which has to fit as well; None at the top.
    """

    condition: Condition | None
    outer: Block | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Lines of one block with nothing between them; after an `Include` a block has one more."""

    block: Block
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A file to be read.

    Attributes:
        path: where it is.
        is_user: whether it is the user's, so that what it includes is looked for in `~/.ssh`.
        must_exist: whether it is an error that there is none.
        checked: whether it must belong to its user alone, as `~/.ssh/config` and all that is
            included must.
    """

    path: str
    is_user: bool
    must_exist: bool = False
    checked: bool = False


class BlockReader:
    """Reads files into pieces, in the order in which ssh would come across them.

    Attributes:
        pieces: what was read so far.
        warnings: what was read and will not be done, with the place.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.warnings: list[str] = []

    def read(self, file: ConfigFile, *, outer: Block | None = None, depth: int = 0) -> None:
        """Read one file and what it includes.

        Raises `UsageError` at a line that is wrong, or when the file cannot be read.
        """
        text = _read(file)
        block = self._begin(Block(condition=None, outer=outer))
        for line in parse_lines(text, file.path) if text else ():
            if line.keyword == "host":
                block = self._begin(Block(condition=parse_host_line(line), outer=outer))
            elif line.keyword == "match":
                block = self._begin(Block(condition=self._criteria(line), outer=outer))
            elif line.keyword == "include":
                self._include(line, file, block, depth)
                self.pieces.append(Piece(block=block))
            else:
                self.pieces[-1].lines.append(line)

    def _begin(self, block: Block) -> Block:
        self.pieces.append(Piece(block=block))
        return block

    def _criteria(self, line: Line) -> MatchCriteria:
        criteria = parse_match_line(line)
        for kind in criteria.not_evaluated:
            what = "is never run" if kind == "exec" else "is not evaluated"
            self.warnings.append(f"{line.place}: Match {kind} {what}; its block is left out")
        return criteria

    def _include(self, line: Line, file: ConfigFile, block: Block, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise line.error(f"files include files more than {MAX_DEPTH} deep")
        for pattern in line.words:
            for path in _included(line, pattern, is_user=file.is_user):
                included = ConfigFile(path=path, is_user=file.is_user, checked=True)
                self.read(included, outer=block, depth=depth + 1)


def _included(line: Line, pattern: str, *, is_user: bool) -> Iterator[str]:
    """Yield the files that an `Include` names, in order; one that is not there is none."""
    if not pattern:
        raise line.error("Include has an empty value")
    if pattern.startswith("~") and not is_user:
        raise line.error("~ means nobody's home in the system's file")
    anchored = expand_home(pattern)
    if not anchored.startswith("/"):
        anchored = f"{expand_home('~/.ssh') if is_user else '/etc/ssh'}/{anchored}"
    yield from sorted(glob.glob(anchored))  # noqa: PTH207 (the pattern may be absolute)


def _read(file: ConfigFile) -> str | None:
    """Return the file's text, bytes that are not UTF-8 kept; None when there is no such file.

    A folder is none either, unless it was asked for: `Include conf.d/*` may come across one.
    """
    try:
        with Path(file.path).open("rb") as opened:
            if file.checked:
                _check_owner(file, os.fstat(opened.fileno()))
            data = opened.read(_MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        if file.must_exist:
            what = "there is no such file" if error.errno == errno.ENOENT else "it is a folder"
            raise UsageError(f"{file.path}: {what}") from error
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{file.path}: cannot be read: {reason}") from error
    if len(data) > _MAX_BYTES:
        raise UsageError(f"{file.path}: is larger than {_MAX_BYTES >> 20} MiB")
    return data.decode("utf-8", "surrogateescape")


def _check_owner(file: ConfigFile, status: os.stat_result) -> None:
    """Raise unless the file belongs to us or root, and nobody else may write to it."""
    if os.name != "posix" or (status.st_uid in {0, os.getuid()} and not _others_write(status)):
        return
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    raise UsageError(
        f"{file.path}: others may write to it (owner {status.st_uid}, mode {mode}), and so decide "
        f"where you connect to; make it yours alone: chmod 600 {file.path}"
    )


def _others_write(status: os.stat_result) -> bool:
    """Tell whether somebody else may write to the file.

    A group that we alone are in is nobody else, as Debian's ssh has it: where each user has a group
    of its own, files are made writable to it.
    """
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _we_alone_are_in(status.st_gid)


def _we_alone_are_in(group: int) -> bool:
    import grp  # noqa: PLC0415 (there is none on Windows)
    import pwd  # noqa: PLC0415 (likewise)

    try:
        named, us = set(grp.getgrgid(group).gr_mem), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
    return {us} == named | {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
