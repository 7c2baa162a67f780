"""Is the host who it says it is? The verdict on a host key, as ssh gives it.

key ─► revoked? ─► a certificate of a known authority? ─► known? ─► changed? ─► policy
"""

from __future__ import annotations

import enum
import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from fleetrun.errors import HostKeyError
from fleetrun.home import ask, is_away
from fleetrun.hosts import DEFAULT_PORT, Host, HostKeyPolicy
from fleetrun.ssh.belongings import places_of, sent_belongings
from fleetrun.ssh.certificate import SUFFIX, Certificate
from fleetrun.ssh.known_hosts import (
    Entry,
    HostKey,
    KnownHosts,
    known_hosts_of,
    learn,
    read_known_hosts,
)
from fleetrun.ssh.known_hosts_file import KnownLine, locked_file

log = logging.getLogger(__name__)


def host_key_of(blob: bytes) -> HostKey:
    """Return the key that a blob from the wire is; its type is the blob's first string."""
    size = int.from_bytes(blob[:4], "big")
    return HostKey(key_type=blob[4 : 4 + size].decode("ascii", "replace"), blob=blob)


def known_name(host: Host) -> str:
    """Return the name under which known_hosts has the host: `address`, or `[address]:port`.

    An alias (HostKeyAlias) takes the place of both, as for ssh.
    """
    if host.host_key_alias is not None:
        return host.host_key_alias
    if host.port == DEFAULT_PORT:
        return host.address
    return _with_port(host)


def _with_port(host: Host) -> str:
    return f"[{host.address}]:{host.port}"


def known_entries(host: Host) -> list[Entry]:
    """Return the entries of all of the host's files that are about it, in order."""
    return _entries_named(host, known_name(host))


def _entries_named(host: Host, name: str) -> list[Entry]:
    return [entry for known in known_hosts_of(host) for entry in known.matching(name)]


EntriesNamed = Callable[[str], list[Entry]]
"""What is known of a name, as known_hosts spells it."""


class Standing(enum.StrEnum):
    """How a key that a host shows stands to what is known of the host."""

    KNOWN = "known"
    NEW = "new"
    CHANGED = "CHANGED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A standing and the known_hosts line that it rests on; None when it rests on none."""

    standing: Standing
    entry: Entry | None = None


def judge(host: Host, key: HostKey) -> Verdict:
    """Judge a plain key (no certificate) as ssh does, whatever the host's policy."""
    return _judge_among(host, key, partial(_entries_named, host))


def _judge_among(host: Host, key: HostKey, named: EntriesNamed) -> Verdict:
    entries = named(known_name(host))
    revoked = _find(entries, "@revoked", key.blob)
    if revoked is not None:
        return Verdict(standing=Standing.REVOKED, entry=revoked)
    known = _find(entries, "", key.blob)
    if known is None and not any(not entry.marker for entry in entries):
        known = _known_without_port(host, key, named)
    if known is not None:
        return Verdict(standing=Standing.KNOWN, entry=known)
    # those of the key's own type first: that one is the most telling to be shown
    others = sorted(entries, key=lambda entry: entry.key.key_type != key.key_type)
    changed = next((entry for entry in others if not entry.marker), None)
    if changed is not None:
        return Verdict(standing=Standing.CHANGED, entry=changed)
    return Verdict(standing=Standing.NEW)


def judge_all(host: Host, keys: Sequence[HostKey]) -> list[Verdict]:
    """Judge all the keys that a host shows, together.

    As for `judge`, but for a key of a type that is not known of the host: beside one that is known
    it is new, where it would be a change if it stood alone.
    """
    verdicts = [judge(host, key) for key in keys]
    if not any(verdict.standing is Standing.KNOWN for verdict in verdicts):
        return verdicts
    return [
        Verdict(standing=Standing.NEW) if _other_type(key, verdict) else verdict
        for key, verdict in zip(keys, verdicts, strict=True)
    ]


def _other_type(key: HostKey, verdict: Verdict) -> bool:
    """Tell whether a change is only that the known keys are of other types."""
    entry = verdict.entry
    return (
        verdict.standing is Standing.CHANGED
        and entry is not None
        and entry.key.key_type != key.key_type
    )


def _find(entries: Iterable[Entry], marker: str, blob: bytes) -> Entry | None:
    for entry in entries:
        if entry.marker == marker and entry.key.blob == blob:
            return entry
    return None


def _known_without_port(host: Host, key: HostKey, named: EntriesNamed) -> Entry | None:
    """Look under the plain address when nothing is known of `[address]:port`, as ssh does."""
    if known_name(host) != _with_port(host):
        return None
    entries = named(host.address)
    if _find(entries, "@revoked", key.blob) is not None:
        return None
    return _find(entries, "", key.blob)


def check_host_key(host: Host, key: HostKey) -> None:
    """Return when the key is the host's, or may be taken for it under the host's policy.

    Raises `HostKeyError` when it is unknown, changed or revoked, or a certificate that is not
    good, with what to do.
    """
    if host.host_keys is HostKeyPolicy.OFF:
        return
    if key.key_type.endswith(SUFFIX):
        certificate = Certificate.parse(key.blob)
        if _vouched_for(host, certificate):
            return
        key = host_key_of(certificate.plain_blob)  # an unknown authority vouches for nothing
    verdict = judge(host, key)
    if verdict.standing is Standing.NEW and host.host_keys is HostKeyPolicy.ACCEPT_NEW:
        _take_down(host, key)
    elif verdict.standing is not Standing.KNOWN:
        raise HostKeyError(_refusal(host, key, verdict))


def _vouched_for(host: Host, certificate: Certificate) -> bool:
    """Tell whether a known authority vouches for the host; raise when it does not do so well."""
    entries = _marked_entries(host, known_entries(host))
    authority = host_key_of(certificate.authority)
    plain = host_key_of(certificate.plain_blob)
    for what, key in (("authority's key", authority), ("key", plain)):
        revoked = _find(entries, "@revoked", key.blob)
        if revoked is not None:
            raise HostKeyError(f"its {what} {key.fingerprint} is revoked ({revoked.place})")
    if _find(entries, "@cert-authority", authority.blob) is None:
        return False
    certificate.check(host.host_key_alias or host.address)
    return True


def _marked_entries(host: Host, entries: Sequence[Entry]) -> list[Entry]:
    """Return the authorities and revocations for the host, among its entries and beside them.

    As for ssh, the plain name counts for a host on another port when nothing vouches for
    `[address]:port`.
    """
    marked = [entry for entry in entries if entry.marker]
    has_authority = any(entry.marker == "@cert-authority" for entry in marked)
    if known_name(host) == _with_port(host) and not has_authority:
        marked += [entry for entry in _entries_named(host, host.address) if entry.marker]
    return marked


def _refusal(host: Host, key: HostKey, verdict: Verdict) -> str:
    """Return the sentence for a key that is not taken, with what to do."""
    entry = verdict.entry
    if entry is None:
        files = " ".join(places_of(host)) or "no known_hosts file"
        return (
            f"the host key is not known: {key.key_type} {key.fingerprint} for {known_name(host)} "
            f"is not in {files}. Check it, then add it with: fleetrun keys approve"
        )
    if verdict.standing is Standing.REVOKED:
        return f"its key {key.fingerprint} is revoked ({entry.place})"
    return (
        f"the host key has CHANGED: it shows {key.key_type} {key.fingerprint}, and {entry.place} "
        f"has {entry.key.key_type} {entry.key.fingerprint}. Someone may be in between; if the host "
        f"was set up anew, replace it with: fleetrun keys approve --replace {host.name}"
    )


def offered_key_types(host: Host, supported: Sequence[str]) -> tuple[str, ...]:
    """Order the host key algorithms so that those known for the host come first, as ssh does.

    Otherwise a host that is known by one type and offers another one first would look changed.
    Certificates are asked for only where an authority is known that could have signed one.
    """
    entries = known_entries(host)
    known = {entry.key.key_type for entry in entries if not entry.marker}
    if "ssh-rsa" in known:  # one key, several signature algorithms (RFC 8332)
        known |= {"rsa-sha2-512", "rsa-sha2-256"}
    plain = sorted(supported, key=lambda name: name not in known)
    if any(entry.marker == "@cert-authority" for entry in _marked_entries(host, entries)):
        certified = tuple(name + SUFFIX for name in supported if name != "ssh-rsa")
        return (*certified, *plain)
    return tuple(plain)


def add_host_key(host: Host, key: HostKey, *, beside_others: bool = False) -> Entry:
    """Write the key to the host's first known_hosts file, under a lock, one writer at a time.

    Somebody may have been faster, so the file is read again inside the lock. With beside_others,
    keys of other types that are known of the host do not stand in the way. Returns the line that
    vouches for the key from then on.

    Raises `HostKeyError` when the host has another key there by then, or it cannot be written.
    """
    try:
        return _write_host_key(host, key, beside_others=beside_others)
    except OSError as error:
        raise HostKeyError(_not_written(host, error)) from error


def _not_written(host: Host, error: OSError) -> str:
    return f"{_first_file(host)}: its key cannot be written there: {error.strerror}"


def _write_host_key(host: Host, key: HostKey, *, beside_others: bool) -> Entry:
    path = _first_file(host)
    line = KnownLine(name=known_name(host), key=key)
    with locked_file(path) as file:

        def as_it_is_now(name: str) -> list[Entry]:
            others = map(read_known_hosts, host.key_files[1:])
            return file.matching(name) + [each for known in others for each in known.matching(name)]

        verdict = _judge_among(host, key, as_it_is_now)
        if verdict.standing is Standing.KNOWN and verdict.entry is not None:
            return verdict.entry
        new = verdict.standing is Standing.NEW
        if not new and not (beside_others and _other_type(key, verdict)):
            raise HostKeyError(_refusal(host, key, verdict))
        return file.append(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddHostKey:
    """A question for home, from a worker on another machine: may a host's key be taken as new?

    If it is new there too, the one writer adds it to the operator's known_hosts.

    Attributes:
        host: the host; its secrets are of no use here.
        key: the key that it shows.
        must_be_written: whether the host is refused when the key cannot be written down; else a
            warning in the log says so.
    """

    host: Host
    key: HostKey
    must_be_written: bool

    def answer(self) -> Entry | None:
        """Return the line that vouches for the key; None when it could not be written.

        Raises `HostKeyError` when home knows the host by another key, or the key is revoked.
        """
        try:
            self._check_folder()
            return _write_host_key(self.host, self.key, beside_others=False)
        except OSError as error:
            said = _not_written(self.host, error)
            if self.must_be_written:
                raise HostKeyError(said) from error
            log.warning("%s: %s", self.host.name, said)
            return None

    def _check_folder(self) -> None:
        """Raise `FileNotFoundError` for a folder of the worker's machine that there is not here."""
        file = self.host.known_hosts[0] if self.host.known_hosts else "~"
        if not (self.must_be_written or file.startswith("~") or Path(file).parent.is_dir()):
            raise FileNotFoundError(errno.ENOENT, "there is no such folder")


def _take_down(host: Host, key: HostKey) -> None:
    """Write a new key down: at home, and on this machine where its own files are used.

    Home is asked first: what it knows otherwise is refused, and nothing is written here.
    """
    if not is_away():
        add_host_key(host, key)
        return
    sent = sent_belongings()
    plain = replace(
        host, password=None, key_passphrase=None, become_password=None, vars={}, sources={}
    )
    entry = ask(AddHostKey(host=plain, key=key, must_be_written=sent is not None))
    if sent is None:
        add_host_key(host, key)
    elif entry is not None:
        learn(sent, host.known_hosts[0], entry)


def _first_file(host: Host) -> Path:
    if not host.key_files:
        raise HostKeyError("there is no known_hosts file to write its key to")
    return host.key_files[0]


def replace_host_keys(host: Host, keys: Sequence[HostKey]) -> None:
    """Put the keys in the place of the host's plain ones in its first known_hosts file.

    Raises `HostKeyError` when one of them is revoked, or the file cannot be written.
    """
    for key in keys:
        verdict = judge(host, key)
        if verdict.standing is Standing.REVOKED:
            raise HostKeyError(_refusal(host, key, verdict))
    path = _first_file(host)
    name = known_name(host)
    try:
        with locked_file(path) as file:
            file.replace(name, [KnownLine(name=name, key=key) for key in keys])
    except OSError as error:
        raise HostKeyError(f"{path}: its keys cannot be written: {error.strerror}") from error


def read_scanned_keys(lines: bytes) -> tuple[HostKey, ...]:
    """Return the keys in the lines that a scan wrote (see `fleetrun.operations.ScanKeys`)."""
    return tuple(entry.key for entry in KnownHosts.parse(lines.splitlines(), source="scan").all())
