"""Our own reader of known_hosts.

The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". A file is read once, indexed and kept
for the process until somebody else changes it on disk; an index is shared by all sessions.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import logging
import re
import sys
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import HostKeyError
from fleetrun.hosts import Host
from fleetrun.ssh.belongings import Belongings, sent_belongings

log = logging.getLogger(__name__)

_HASH_MAGIC = "|1|"
_MARKERS = {"@revoked", "@cert-authority"}
_FOR_MANY = re.compile(rb"^[@|]|[*?!]")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A public host key: its type (`ssh-ed25519`) and its blob as it goes over the wire."""

    key_type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:` and the base64 digest without padding, as ssh-keygen prints it."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a known_hosts file that could be read."""

    source: str
    line: int
    marker: str
    patterns: str
    key: HostKey

    @property
    def place(self) -> str:
        """Where it stands: `file:line`."""
        return f"{self.source}:{self.line}"


class KnownHosts:
    """The entries of one known_hosts file, indexed by name. Shared between threads.

    It never changes, but for what this process has added to its file (`learn`).

    Every hashed line has to be tried for a name, 2.3 µs each; what came of it is kept, since a
    session asks for its host's name three times. Of a plain line little is kept beside what it says
    (350 bytes, measured): each worker process of a run on 100,000 hosts has one for each of them.
    """

    def __init__(self, entries: Iterable[Entry], *, line_count: int = 0) -> None:
        self.line_count = line_count
        self._all = list(entries)
        self._by_name: dict[str, Entry | list[Entry]] = {}
        self._hashed: list[tuple[bytes, bytes, Entry]] = []
        self._unhashed: dict[str, tuple[Entry, ...]] = {}  # two threads write the same at worst
        self._patterns: list[Entry] = []
        for entry in self._all:
            self._index(entry)

    def _index(self, entry: Entry) -> None:
        if entry.patterns.startswith(_HASH_MAGIC):
            salt, digest = entry.patterns.removeprefix(_HASH_MAGIC).split("|")
            hashed = (base64.b64decode(salt), base64.b64decode(digest), entry)
            self._hashed.append(hashed)
        elif any(char in entry.patterns for char in "*?!"):
            self._patterns.append(entry)
        else:
            lowered = entry.patterns.lower()
            names = entry.patterns if lowered == entry.patterns else lowered  # one text, not two
            for name in set(names.split(",")) if "," in names else (names,):
                self._index_name(name, entry)

    def _index_name(self, name: str, entry: Entry) -> None:
        known = self._by_name.setdefault(name, entry)
        if isinstance(known, list):
            known.append(entry)
        elif known is not entry:
            self._by_name[name] = [known, entry]

    @classmethod
    def parse(cls, lines: Sequence[bytes], *, source: str) -> KnownHosts:
        """Read a file's lines; one that cannot be read is a warning with its number in the log."""
        return cls(_entries(lines, source=source), line_count=len(lines))

    def learn(self, entry: Entry) -> None:
        """Add an entry, unless it is known. One thread at a time; others may look meanwhile."""
        if entry not in self.matching(entry.patterns):
            self._all.append(entry)
            self._index(entry)
            self.line_count = max(self.line_count, entry.line)

    def all(self) -> tuple[Entry, ...]:
        """Return every entry, in the file's order."""
        return tuple(self._all)

    def matching(self, name: str) -> Iterator[Entry]:
        """Yield the entries for a name as known_hosts spells it (`host` or `[host]:port`)."""
        name = name.lower()
        named = self._by_name.get(name, ())
        yield from (named,) if isinstance(named, Entry) else named
        yield from self._hashed_for(name)
        for entry in self._patterns:
            if _matches(entry.patterns.lower(), name):
                yield entry

    def _hashed_for(self, name: str) -> tuple[Entry, ...]:
        if not self._hashed:
            return ()
        found = self._unhashed.get(name)
        if found is None:
            found = self._unhashed[name] = tuple(
                entry
                for salt, digest, entry in self._hashed
                if hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
            )
        return found


def _matches(patterns: str, name: str) -> bool:
    """Tell whether a comma list matches; a negated pattern that matches rules the line out."""
    found = False
    for pattern in patterns.split(","):
        plain = pattern.removeprefix("!")
        if fnmatch.fnmatchcase(name, plain.replace("[", "[[]")):
            if plain != pattern:
                return False
            found = True
    return found


def _entries(lines: Iterable[bytes], *, source: str) -> Iterator[Entry]:
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            yield _entry(line.decode("latin-1"), source=source, number=number)
        except (ValueError, binascii.Error) as error:
            log.warning("%s:%d: line not understood and left out: %s", source, number, error)


def _entry(line: str, *, source: str, number: int) -> Entry:
    words = line.split()  # Latin-1 keeps every byte: only a comment can have more than ASCII
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker and marker not in _MARKERS:
        raise ValueError(f"unknown marker {marker}")
    if len(words) < 3:  # noqa: PLR2004 (names, type, key)
        raise ValueError("names, key type and key are needed")
    names, key_type, text = words[:3]
    blob = base64.b64decode(text, validate=True)
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != key_type.encode():
        raise ValueError(f"the key is not of the type {key_type}")
    if not _is_whole(blob):
        raise ValueError("the key is cut short")
    if names.startswith(_HASH_MAGIC):
        salt, digest = names.removeprefix(_HASH_MAGIC).split("|")
        base64.b64decode(salt, validate=True)
        base64.b64decode(digest, validate=True)
    key = HostKey(key_type=sys.intern(key_type), blob=blob)
    return Entry(source=source, line=number, marker=marker, patterns=names, key=key)


def lines_about(lines: Iterable[bytes], names: Container[str]) -> Iterator[bytes]:
    """Yield the lines that can be about one of the names, and an empty one for each other.

    So each keeps its number. The names are in lower case, as known_hosts spells them. A line with
    a marker, a hashed name or patterns can be about any name, and stays; a comment does not.
    """
    for line in lines:
        yield line if _can_be_about(line, names) else b""


def _can_be_about(line: bytes, names: Container[str]) -> bool:
    first = line.split(maxsplit=1)[:1]
    if not first or first[0].startswith(b"#"):
        return False
    if _FOR_MANY.search(first[0]):
        return True
    text = first[0].decode("latin-1").lower()
    return any(name in names for name in text.split(",")) if "," in text else text in names


# --- files, read once ----------------------------------------------------------------------------

_Stamp = tuple[int, int, int]
"""What tells two states of a file apart: when it was written to, its size, and which file it is."""

_cache: dict[Path, tuple[_Stamp, KnownHosts]] = {}
_sent: dict[tuple[Belongings, str], KnownHosts] = {}
_lock = threading.Lock()


def _is_whole(blob: bytes) -> bool:
    """Tell whether a key's strings, each with its length before it, end where the blob ends."""
    at = count = 0
    while at < len(blob):
        at += 4 + int.from_bytes(blob[at : at + 4], "big")
        count += 1
    return at == len(blob) and count > 1


def read_known_hosts(path: Path) -> KnownHosts:
    """Return the index of a file, read again only when it has changed; a missing file is empty.

    Raises `HostKeyError` when it is there and cannot be read.
    """
    try:
        stamp = _stamp_of(path)
        with _lock:
            cached = _cache.get(path)
            if cached is None or cached[0] != stamp:
                lines = path.read_bytes().splitlines()
                cached = _cache[path] = (stamp, KnownHosts.parse(lines, source=str(path)))
            return cached[1]
    except (FileNotFoundError, NotADirectoryError):
        return KnownHosts(())
    except OSError as error:
        raise HostKeyError(f"{path}: cannot be read: {error.strerror}") from error


def _stamp_of(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino


def entry_added(path: Path, name: str, key: HostKey, *, before: int, after: int) -> Entry:
    """Return the entry of a line that this process has just appended to a file.

    The index has it from then on, and the file need not be read again: a run on a thousand new
    hosts would read it a thousand times.

    Args:
        path: the file, which was read before.
        name: the name in the line.
        key: the key in it.
        before: the size of the file, in bytes, before the line was appended.
        after: its size if nobody else has written to it. If somebody has, the line's number is a
            guess, and the file is read again when it is next looked at.
    """
    with _lock:
        stamp = _stamp_of(path)
        known_at, known = _cache.get(path, (stamp, KnownHosts(())))
        number = known.line_count + 1
        entry = Entry(source=str(path), line=number, marker="", patterns=name, key=key)
        if (known_at[1:], stamp[1:]) == ((before, stamp[2]), (after, stamp[2])):
            known.learn(entry)
            _cache[path] = (stamp, known)
    return entry


def known_hosts_of(host: Host) -> list[KnownHosts]:
    """Return the indexes of the files that vouch for the host's key, in order.

    They are those that were sent, where any were. Raises `HostKeyError` when one of them is there
    and cannot be read.
    """
    sent = sent_belongings()
    if sent is None:
        return [read_known_hosts(path) for path in host.key_files]
    return [_read_sent(sent, path) for path in host.known_hosts]


def learn(sent: Belongings, path: str, entry: Entry) -> None:
    """Have the sessions of this process know what was added to a file since it was sent."""
    known = _read_sent(sent, path)
    with _lock:
        known.learn(entry)


def _read_sent(sent: Belongings, path: str) -> KnownHosts:
    """Return the index of a file that was sent: one for all sessions, to which keys are added."""
    file = sent.files[path]
    if file.wrong is not None:
        raise HostKeyError(file.wrong)
    with _lock:
        known = _sent.get((sent, path))
        if known is None:
            lines = file.reveal().splitlines()
            known = _sent[sent, path] = KnownHosts.parse(lines, source=file.place)
        return known
