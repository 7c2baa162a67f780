"""What ssh_config says of a host: `SshConfig.load().look_up("web1")`. Beside the road: data only.

    file ─► lines ─► blocks (includes in place) ─► look-up: first value wins ─► HostConfig

Written for fleetrun rather than built on paramiko's reader. That one knows no `Include` inside a
block and no places, it would run `Match exec`, and importing it costs more than reading the files;
`fleetrun hosts` has no need of paramiko. OpenSSH itself is the measure: the tests compare every
look-up with `ssh -G`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fleetrun.errors import UsageError
from fleetrun.hosts import current_user
from fleetrun.ssh.config_blocks import Block, BlockReader, ConfigFile, Piece
from fleetrun.ssh.config_lines import Line
from fleetrun.ssh.config_match import HostPatterns, MatchCriteria
from fleetrun.ssh.config_options import COLLECTED, EXCLUDES, NONE, READ
from fleetrun.ssh.config_tokens import UnknownToken, expand_home, expand_tokens

USER_FILE = "~/.ssh/config"
SYSTEM_FILE = "/etc/ssh/ssh_config"
VARIABLE = "FLEETRUN_SSH_CONFIG"
NO_FILE = "none"
"""In the place of a file's name, as for ssh's `-F`: read none at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigValue:
    """What an option is set to.

    Attributes:
        words: its value; for `proxycommand`, and for options that fleetrun does not act on, all of
            it as it is written. Tokens are not expanded, but for those of `hostname`.
        place: where it stands, `file:line`.
    """

    words: tuple[str, ...]
    place: str

    @property
    def text(self) -> str:
        """The value as one text."""
        return " ".join(self.words)

    def error(self, message: str) -> UsageError:
        """Return the error that something is wrong here, to be raised."""
        return UsageError(f"{self.place}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """What ssh_config says of one host.

    Attributes:
        name: the host as it was asked for.
        address: what is connected to: `HostName` if that is set, else the name, in lower case.
        values: by keyword in lower case; of all but `identityfile` and `certificatefile` there is
            one value.
    """

    name: str
    address: str
    values: Mapping[str, tuple[ConfigValue, ...]]

    def value(self, keyword: str) -> ConfigValue | None:
        """Return the value of an option; None when it is not set."""
        found = self.values.get(keyword)
        return found[0] if found else None


class SshConfig:
    """ssh_config files, read once. Immutable; safe to share between threads.

    Attributes:
        files: the files that were asked for, in order.
        warnings: what stands in them and is not done, as `file:line: sentence`.
    """

    def __init__(self, files: Sequence[ConfigFile]) -> None:
        """Read the files, the first one's values winning; raises `UsageError` where one is wrong.

        A look-up then costs as much as the blocks with wildcards and `Match` lines that there are:
        blocks that name hosts are found by name.
        """
        reader = BlockReader()
        for file in files:
            reader.read(file)
        self.files = tuple(file.path for file in files)
        self.warnings = tuple(reader.warnings)
        self._pieces = [_ReadPiece.of(piece) for piece in reader.pieces]
        self._second_pass = any(
            isinstance(piece.block.condition, MatchCriteria)
            and piece.block.condition.asks_for_second_pass
            for piece in self._pieces
        )
        self._by_name: dict[str, list[int]] = {}
        self._for_many: list[int] = []
        for number, piece in enumerate(self._pieces):
            self._index(number, piece)

    def _index(self, number: int, piece: _ReadPiece) -> None:
        condition, outer = piece.block.condition, piece.block.outer
        names = condition.names if isinstance(condition, HostPatterns) and outer is None else None
        if names is None:
            if piece.options or piece.block.condition is not None:
                self._for_many.append(number)
            return
        for name in set(names):
            self._by_name.setdefault(name, []).append(number)

    @classmethod
    def load(cls, path: str | None = None) -> SshConfig:
        """Return what ssh would read: the user's file and the system's, or the path alone.

        The path `none` means no file at all; None means the path in `FLEETRUN_SSH_CONFIG` if that
        is set. Files are read once a process.
        """
        return _load(path or os.environ.get(VARIABLE) or None)

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts that `Host` lines name without wildcards, in order, each once."""
        found: dict[str, None] = {}
        for piece in self._pieces:
            condition = piece.block.condition
            if isinstance(condition, HostPatterns):
                found.update(
                    (pattern, None)
                    for pattern in condition.patterns
                    if not any(char in pattern for char in "*?!")
                )
        return tuple(found)

    def look_up(self, name: str, *, user: str | None = None, port: int | None = None) -> HostConfig:
        """Return what the files say of a host.

        Args:
            name: the host as ssh would be given it.
            user: a login name that was given elsewhere and beats the files; `Match user` sees it.
            port: likewise for the port.

        Raises `UsageError` when `HostName` has a token in it that there is not.
        """
        search = _Search(name, user=user, port=port)
        search.go_through(self._pieces_for(name))
        address = search.destination()
        if self._second_pass:
            search.begin_second_pass(address)
            search.go_through(self._pieces_for(address))
        values = {keyword: tuple(found) for keyword, found in search.values.items()}
        return HostConfig(name=name, address=address, values=values)

    def _pieces_for(self, name: str) -> Iterable[_ReadPiece]:
        named = self._by_name.get(name)
        numbers = sorted([*named, *self._for_many]) if named else self._for_many
        return (self._pieces[number] for number in numbers)


@functools.cache
def _load(path: str | None) -> SshConfig:
    if path is None:
        user = ConfigFile(path=expand_home(USER_FILE), is_user=True, checked=True)
        return SshConfig([user, ConfigFile(path=SYSTEM_FILE, is_user=False)])
    if path.lower() == NO_FILE:
        return SshConfig([])
    return SshConfig([ConfigFile(path=expand_home(path), is_user=True, must_exist=True)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _ReadPiece:
    """A piece with its lines read."""

    block: Block
    options: tuple[tuple[str, ConfigValue], ...] = field(default=())

    @classmethod
    def of(cls, piece: Piece) -> _ReadPiece:
        options = map(_option, piece.lines)
        return cls(block=piece.block, options=tuple(each for each in options if each[1].words))


def _option(line: Line) -> tuple[str, ConfigValue]:
    read = READ.get(line.keyword)
    words = line.words if read is None else read(line)
    return line.keyword, ConfigValue(words=words, place=line.place)


class _Search:
    """One look-up: the values so far, and which blocks fit. It is the blocks' subject itself."""

    def __init__(self, name: str, *, user: str | None, port: int | None) -> None:
        self._given = user
        self.name = self.original = name
        self.final = False
        self._fits: dict[Block, bool] = {}
        self.values: dict[str, list[ConfigValue]] = {}
        self._beaten = {"user"} if user is not None else set()
        if port is not None:
            self._beaten.add("port")

    @property
    def address(self) -> str:
        """As `Subject` has it."""
        return self.name if self.final else self.destination()

    @property
    def user(self) -> str:
        """As `Subject` has it."""
        if self._given is not None:
            return self._given
        found = self.values.get("user")
        return found[0].words[0] if found else current_user()

    @property
    def local_user(self) -> str:
        """As `Subject` has it."""
        return current_user()

    def go_through(self, pieces: Iterable[_ReadPiece]) -> None:
        """Take the options of all blocks that fit; the first value of each stays."""
        for piece in pieces:
            if self._block_fits(piece.block):
                for keyword, value in piece.options:
                    self._take(keyword, value)

    def begin_second_pass(self, address: str) -> None:
        """Keep what was found, and match against what the name came to from now on."""
        self.name = address
        self.final = True
        self._fits.clear()

    def destination(self) -> str:
        """Return the host name that is connected to."""
        found = self.values.get("hostname")
        if not found:
            return self.original.lower()
        value = found[0]
        try:
            return expand_tokens(value.words[0], "h", lambda _: self.original).lower()
        except UnknownToken as error:
            raise value.error(f"HostName: {error}") from error

    def _block_fits(self, block: Block) -> bool:
        known = self._fits.get(block)
        if known is None:
            outer_fits = block.outer is None or self._block_fits(block.outer)
            known = self._fits[block] = outer_fits and (
                block.condition is None or block.condition.fits(self)
            )
        return known

    def _take(self, keyword: str, value: ConfigValue) -> None:
        if keyword in self._beaten or self._excluded(keyword):
            return
        found = self.values.setdefault(keyword, [])
        if not found or (keyword in COLLECTED and all(value.words != old.words for old in found)):
            found.append(value)

    def _excluded(self, keyword: str) -> bool:
        """Tell whether the other way to get to the host was given first.

        `ProxyJump none` leaves the way open for a command, `ProxyCommand none` not for a jump.
        """
        other = EXCLUDES.get(keyword, "")
        found = self.values.get(other, [])
        return any(other != "proxyjump" or value.words != (NONE,) for value in found)
