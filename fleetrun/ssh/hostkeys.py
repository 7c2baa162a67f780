"""Is the host who it says it is? The verdict on a host key, as ssh gives it.

key ─► revoked? ─► a certificate of a known authority? ─► known? ─► changed? ─► policy
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import HostKeyError
from fleetrun.hosts import DEFAULT_PORT, Host, HostKeyPolicy
from fleetrun.ssh.certificate import SUFFIX, Certificate
from fleetrun.ssh.known_hosts import Entry, HostKey, KnownHosts, read_known_hosts
from fleetrun.ssh.known_hosts_file import KnownLine, locked_file


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
    return [entry for path in host.key_files for entry in read_known_hosts(path).matching(name)]


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
    return _judge_among(host, key, known_entries(host))


def _judge_among(host: Host, key: HostKey, entries: Sequence[Entry]) -> Verdict:
    revoked = _find(entries, "@revoked", key.blob)
    if revoked is not None:
        return Verdict(standing=Standing.REVOKED, entry=revoked)
    known = _find(entries, "", key.blob)
    if known is None and not any(not entry.marker for entry in entries):
        known = _known_without_port(host, key)
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


def _known_without_port(host: Host, key: HostKey) -> Entry | None:
    """Look under the plain address when nothing is known of `[address]:port`, as ssh does."""
    if known_name(host) != _with_port(host):
        return None
    entries = _entries_named(host, host.address)
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
        add_host_key(host, key)
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
        files = " ".join(str(path) for path in host.key_files) or "no known_hosts file"
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


def add_host_key(host: Host, key: HostKey, *, beside_others: bool = False) -> None:
    """Write the key to the host's first known_hosts file, under a lock, one writer at a time.

    Somebody may have been faster, so the file is read again inside the lock. With beside_others,
    keys of other types that are known of the host do not stand in the way.

    Raises `HostKeyError` when the host has another key there by then, or it cannot be written.
    """
    path = _first_file(host)
    line = KnownLine(name=known_name(host), key=key)
    try:
        with locked_file(path) as file:
            verdict = _judge_among(host, key, file.matching(line.name))
            if verdict.standing is Standing.KNOWN:
                return
            new = verdict.standing is Standing.NEW
            if not new and not (beside_others and _other_type(key, verdict)):
                raise HostKeyError(_refusal(host, key, verdict))
            file.append(line)
    except OSError as error:
        raise HostKeyError(f"{path}: its key cannot be written there: {error.strerror}") from error


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
