"""The caller's own files, keys and known_hosts among them: read here, or as they were sent along.

    the operator's machine              a worker on another machine
    files ─► gather ─► Belongings ─►    use ─► sent_belongings ─► keys, known_hosts, jump hosts

Where nothing was sent, files are files. What was sent is kept in memory and never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleetrun.errors import ConnectError
from fleetrun.hosts import Host, Secret

Chain = tuple[str, str | None, tuple[str, ...]]
"""What a jump host is looked up by: `jump`, `ssh_config` and `known_hosts` of who is behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """A file as it was on the operator's machine when it was sent. Picklable.

    Attributes:
        place: where it is there, `~` expanded.
        content: what is in it, each byte a character (Latin-1); None when there is no such file,
            or it cannot be used.
        wrong: why it cannot be used, as a sentence; None when it can be, or is not there.
    """

    place: str
    content: Secret | None = None
    wrong: str | None = None

    @classmethod
    def of(cls, place: Path, content: bytes) -> SentFile:
        """Return the file at that place, with that content."""
        return cls(place=str(place), content=Secret(content.decode("latin-1")))

    def reveal(self) -> bytes:
        """Return the content itself; nothing when there is none."""
        return b"" if self.content is None else self.content.reveal().encode("latin-1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Belongings:
    """All that sessions of some hosts need of the operator's files. Picklable; shared by threads.

    Attributes:
        files: the files by their names as the hosts have them, `~` not expanded: each known_hosts
            file, and of the others those that are there.
        hops: the jump host that a chain leads to, or the sentence why there is none.
    """

    files: Mapping[str, SentFile] = field(default_factory=dict, repr=False)
    hops: Mapping[Chain, Host | str] = field(default_factory=dict, repr=False)

    def hop(self, chain: Chain) -> Host:
        """Return the jump host that a chain leads to; raises `ConnectError` when there is none."""
        found = self.hops[chain]
        if isinstance(found, str):
            raise ConnectError(found)
        return found


_sent: list[Belongings] = []
"""Empty where files are files; else what takes their place in this process."""


def use(belongings: Belongings) -> None:
    """Have the sessions of this process use what was sent, and none of this machine's files."""
    _sent[:] = [belongings]


def sent_belongings() -> Belongings | None:
    """Return what was sent to this process; None when it uses the files of its own machine."""
    return _sent[0] if _sent else None


def is_there(path: str) -> bool:
    """Whether there is an ordinary file of that name; `~` is expanded."""
    return path in _sent[0].files if _sent else Path(path).expanduser().is_file()


def read(path: str, most_bytes: int) -> bytes:
    """Return what a file begins with; `~` is expanded. Raises `OSError` when it cannot be read."""
    if not _sent:
        with Path(path).expanduser().open("rb") as opened:
            return opened.read(most_bytes)
    file = _sent[0].files.get(path)
    if file is None:
        raise FileNotFoundError(f"{path} was not sent")
    if file.wrong is not None:
        raise OSError(file.wrong)
    return file.reveal()[:most_bytes]


def places_of(host: Host) -> list[str]:
    """Return where the host's known_hosts files are, on whichever machine that is, in order."""
    if not _sent:
        return [str(path) for path in host.key_files]
    return [_sent[0].files[path].place for path in host.known_hosts]


def chain_to(host: Host) -> Chain | None:
    """Return what the jump host of a host is looked up by; None when it has none."""
    return None if host.jump is None else (host.jump, host.ssh_config, host.known_hosts)
