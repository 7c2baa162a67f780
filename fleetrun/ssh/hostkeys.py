"""Is the host who it says it is? The verdict on a host key, as ssh gives it.

key ─► revoked? ─► a certificate of a known authority? ─► known? ─► changed? ─► policy
"""

from __future__ import annotations

import base64
import errno
import os
import struct
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from fleetrun.errors import HostKeyError
from fleetrun.hosts import DEFAULT_PORT, Host, HostKeyPolicy
from fleetrun.ssh.certificate import SUFFIX, Certificate
from fleetrun.ssh.known_hosts import Entry, HostKey, KnownHosts, read_known_hosts

_append_lock = threading.Lock()


def host_key_of(blob: bytes) -> HostKey:
    """Return the key that a blob from the wire is; its type is the blob's first string."""
    (size,) = struct.unpack_from(">I", blob)
    return HostKey(key_type=blob[4 : 4 + size].decode("ascii", "replace"), blob=blob)


def known_name(host: Host) -> str:
    """Return the name under which known_hosts has the host: `address`, or `[address]:port`."""
    if host.port == DEFAULT_PORT:
        return host.address
    return f"[{host.address}]:{host.port}"


def known_entries(host: Host) -> list[Entry]:
    """Return the entries of all of the host's files that are about it, in order."""
    return _entries_named(host, known_name(host))


def _entries_named(host: Host, name: str) -> list[Entry]:
    return [entry for path in host.key_files for entry in read_known_hosts(path).matching(name)]


def check_host_key(host: Host, key: HostKey) -> None:
    """Return when the key is the host's, or may be taken for it under the host's policy.

    Raises `HostKeyError` when it is unknown, changed or revoked, or a certificate that is not
    good, with what to do.
    """
    if host.host_keys is HostKeyPolicy.OFF:
        return
    entries = known_entries(host)
    if key.key_type.endswith(SUFFIX):
        certificate = Certificate.parse(key.blob)
        _check_not_revoked(entries, host_key_of(certificate.authority), "the authority's key")
        if _has(entries, "@cert-authority", certificate.authority):
            _check_not_revoked(entries, host_key_of(certificate.plain_blob), "its key")
            certificate.check(host.address)
            return
        key = host_key_of(certificate.plain_blob)  # an unknown authority vouches for nothing
    _check_not_revoked(entries, key, "its key")
    if _has(entries, "", key.blob) or _known_without_port(host, entries, key):
        return
    changed = next((entry for entry in _sorted_by_type(entries, key) if not entry.marker), None)
    if changed is not None:
        raise HostKeyError(_changed(host, key, changed))
    if host.host_keys is HostKeyPolicy.STRICT:
        raise HostKeyError(_unknown(host, key))
    _add(host, key)


def _has(entries: Iterable[Entry], marker: str, blob: bytes) -> bool:
    return any(entry.marker == marker and entry.key.blob == blob for entry in entries)


def _check_not_revoked(entries: Iterable[Entry], key: HostKey, what: str) -> None:
    for entry in entries:
        if entry.marker == "@revoked" and entry.key == key:
            raise HostKeyError(f"{what} {key.fingerprint} is revoked ({entry.place})")


def _known_without_port(host: Host, entries: Sequence[Entry], key: HostKey) -> bool:
    """Look under the plain address when nothing is known of `[address]:port`, as ssh does."""
    if host.port == DEFAULT_PORT or any(not entry.marker for entry in entries):
        return False
    return _has(_entries_named(host, host.address), "", key.blob)


def _sorted_by_type(entries: Iterable[Entry], key: HostKey) -> list[Entry]:
    """Put the entries of the key's own type first: that one is the most telling to be shown."""
    return sorted(entries, key=lambda entry: entry.key.key_type != key.key_type)


def _changed(host: Host, key: HostKey, entry: Entry) -> str:
    return (
        f"the host key has CHANGED: it shows {key.key_type} {key.fingerprint}, and {entry.place} "
        f"has {entry.key.key_type} {entry.key.fingerprint}. Someone may be in between; if the "
        f"host was set up anew, remove the line with: ssh-keygen -R '{known_name(host)}'"
    )


def _unknown(host: Host, key: HostKey) -> str:
    files = " ".join(str(path) for path in host.key_files) or "no known_hosts file"
    return (
        f"the host key is not known: {key.key_type} {key.fingerprint} for {known_name(host)} is "
        f"not in {files}. Check it, then add it (ssh-keyscan), or use --host-keys accept-new"
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
    if any(entry.marker == "@cert-authority" for entry in entries):
        return (*(name + SUFFIX for name in supported), *plain)
    return tuple(plain)


def _add(host: Host, key: HostKey) -> None:
    """Append the key to the host's first file: one write under a lock, then to the disk."""
    if not host.key_files:
        raise HostKeyError("there is no known_hosts file to write its key to")
    path = host.key_files[0]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _append_lock:
            _append(path, host, key)
    except OSError as error:
        raise HostKeyError(f"{path}: its key cannot be written there: {error.strerror}") from error


def _append(path: Path, host: Host, key: HostKey) -> None:
    """Append under the file's lock, after another look: somebody may have been faster."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        _lock_file(descriptor)
        content = path.read_bytes()
        now_known = KnownHosts.parse(content.splitlines(), source=str(path))
        entries = [entry for entry in now_known.matching(known_name(host)) if not entry.marker]
        if _has(entries, "", key.blob):
            return
        if entries:
            raise HostKeyError(_changed(host, key, _sorted_by_type(entries, key)[0]))
        start = "\n" if content and not content.endswith(b"\n") else ""
        text = base64.b64encode(key.blob).decode()
        line = f"{start}{known_name(host)} {key.key_type} {text}\n".encode()
        if os.write(descriptor, line) < len(line):
            os.ftruncate(descriptor, len(content))  # no torn line is left behind
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_file(descriptor: int) -> None:
    try:
        import fcntl  # noqa: PLC0415 (not on Windows)
    except ImportError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
