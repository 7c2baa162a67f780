"""Looking at private key files before any connection, without paramiko and without decrypting.

Those that were sent to a worker on another machine were looked at where they are.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import UsageError
from fleetrun.hosts import Host
from fleetrun.ssh.belongings import is_there, read, sent_belongings

_MAX_BYTES = 64 * 1024
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_PUBLIC = (b"ssh-", b"ecdsa-", b"sk-")
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
    encrypted = is_encrypted(path, read_private_key(path))
    return KeyFile(path=Path(path).expanduser(), encrypted=encrypted)


def read_private_key(path: str) -> bytes:
    """Return what is in a private key file; raises `UsageError` with what is wrong with the file.

    No more is read than a key can be long.
    """
    sent = sent_belongings()
    if sent is None:
        return _read_own(path, Path(path).expanduser())
    file = sent.files.get(path)
    if file is None:
        raise UsageError(f"{path}: the private key was not sent")
    if file.wrong is not None:
        raise UsageError(file.wrong)
    return file.reveal()


def _read_own(path: str, file: Path) -> bytes:
    if file.suffix == ".pub":
        raise UsageError(f"{path}: is a public key; give the private one, without .pub")
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # what can be read but once is of no use either
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
            raise UsageError(f"{path}: is {what}, not a private key")
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: the private key cannot be read: {reason}") from error
    if os.name == "posix" and status.st_mode & 0o077 and status.st_uid == os.getuid():
        # as ssh does: a key that others can read is no secret any more
        raise UsageError(
            f"{path}: others may read this private key (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"make it yours alone: chmod 600 {path}"
        )
    return content


def is_encrypted(path: str, content: bytes) -> bool:
    """Tell whether a private key needs a passphrase; raises `UsageError` when it is none."""
    found = _PEM.search(content)
    if found is None:
        what = "a public key" if content.startswith(_PUBLIC) else "no private key"
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
    start = len(_OPENSSH_MAGIC) + 4
    cipher = blob[start : start + int.from_bytes(blob[start - 4 : start], "big")]
    if not cipher:
        raise UsageError(f"{path}: the private key is damaged: it ends too early")
    return cipher != b"none"


def without_passphrase(path: str) -> str:
    """Return the sentence for an encrypted key that cannot be opened."""
    return f"{path}: the private key is encrypted, and no passphrase was given"


def public_blob(path: str) -> bytes | None:
    """Return the public key of a key file; None when only decrypting the file would tell.

    It stands beside the file (`path.pub`), is the file itself, or is in the open part of a private
    key in OpenSSH's format.
    """
    try:
        beside = f"{path}.pub"
        if is_there(beside):
            return read_public_blob(beside)
        return read_public_blob(path) or _blob_in_private_key(path)
    except OSError:
        return None


def read_public_blob(path: str) -> bytes | None:
    """Return the key in a public key file or a certificate; None when it is neither.

    Raises `OSError` when it cannot be read.
    """
    words = read(path, _MAX_BYTES).split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(_PUBLIC):  # noqa: PLR2004 (type and key)
        return None
    try:
        return base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None


def _blob_in_private_key(path: str) -> bytes | None:
    found = _PEM.search(read(path, _MAX_BYTES))
    if found is None or found[1].strip() != b"OPENSSH":
        return None
    try:
        data = base64.b64decode(b"".join(found[2].split())).removeprefix(_OPENSSH_MAGIC)
    except binascii.Error:
        return None
    for _ in range(3):  # the cipher, the key derivation and its options
        data = data[4 + int.from_bytes(data[:4], "big") :]
    size = int.from_bytes(data[4:8], "big")  # after the number of keys, which is 1
    return data[8 : 8 + size] or None
