"""Looking at private key files before any connection, without paramiko and without decrypting."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import UsageError
from fleetrun.hosts import Host

_MAX_BYTES = 64 * 1024
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_PEM = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----(.*?)-----END", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A private key file that looks usable; `encrypted` tells whether it needs a passphrase."""

    path: Path
    encrypted: bool


def look_at_keys(hosts: Iterable[Host]) -> tuple[KeyFile, ...]:
    """Look at every private key that the hosts name, once each, in order.

    Raises `UsageError`, before anything is contacted, when one of them cannot be used.
    """
    paths = dict.fromkeys(host.private_key for host in hosts if host.private_key is not None)
    return tuple(look_at_key(path) for path in paths)


def look_at_key(path: str) -> KeyFile:
    """Look at one private key file; raises `UsageError` with what is wrong and what to do."""
    file = Path(path).expanduser()
    if file.suffix == ".pub":
        raise UsageError(f"{path}: is a public key; give the private one, without .pub")
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path}: is a folder, not a private key")
        content = file.read_bytes()[:_MAX_BYTES]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: the private key cannot be read: {reason}") from error
    if os.name == "posix" and status.st_mode & 0o077 and status.st_uid == os.getuid():
        # as ssh does: a key that others can read is no secret any more
        raise UsageError(
            f"{path}: others may read this private key (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"make it yours alone: chmod 600 {path}"
        )
    return KeyFile(path=file, encrypted=_is_encrypted(path, content))


def _is_encrypted(path: str, content: bytes) -> bool:
    found = _PEM.search(content)
    if found is None:
        what = (
            "a public key" if content.startswith((b"ssh-", b"ecdsa-", b"sk-")) else "no private key"
        )
        raise UsageError(f"{path}: is {what}; a private key begins with -----BEGIN")
    kind, body = found.groups()
    if kind.strip() != b"OPENSSH":
        return b"ENCRYPTED" in kind or b"Proc-Type: 4,ENCRYPTED" in body
    try:
        blob = base64.b64decode(b"".join(body.split()))
    except binascii.Error as error:
        raise UsageError(f"{path}: the private key is damaged: {error}") from error
    if not blob.startswith(_OPENSSH_MAGIC):
        raise UsageError(f"{path}: the private key is damaged: it is not in OpenSSH's format")
    (size,) = struct.unpack_from(">I", blob, len(_OPENSSH_MAGIC))
    start = len(_OPENSSH_MAGIC) + 4
    return blob[start : start + size] != b"none"
