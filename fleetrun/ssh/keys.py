"""The caller's own keys: read and decrypted once a process, and used by every session."""

from __future__ import annotations

import functools
import io
import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import AuthError, UsageError
from fleetrun.hosts import Host, Secret
from fleetrun.ssh.agent import agent_keys
from fleetrun.ssh.keyfile import look_at_key

from cryptography.hazmat.primitives import serialization  # isort: skip
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

# fleetrun.ssh.agent makes it cheap, and must come first
from paramiko import ECDSAKey, Ed25519Key, PKey, RSAKey  # isort: skip
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import PasswordRequiredException, SSHException

log = logging.getLogger(__name__)

_USUAL_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
MAX_OFFERS = 5
"""sshd ends a connection after six failures (MaxAuthTries); one is left for a password."""

_PARSERS = {
    rsa.RSAPrivateKey: RSAKey,
    ec.EllipticCurvePrivateKey: ECDSAKey,
    ed25519.Ed25519PrivateKey: Ed25519Key,
}

_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginKeys:
    """The keys to offer, best first, and a hint for the case that all of them are refused."""

    keys: tuple[PKey, ...]
    hint: str = ""


def login_keys(host: Host) -> LoginKeys:
    """Return the keys to offer to the host: the one it names alone, or the agent's and the usual.

    Raises `AuthError` when the named one cannot be used.
    """
    with _lock:  # the first session reads, the others wait and share
        if host.private_key is not None:
            return LoginKeys(keys=(read_key(host.private_key, host.key_passphrase),))
        return _own_keys()


@functools.lru_cache(maxsize=256)
def read_key(path: str, passphrase: Secret | None = None) -> PKey:
    """Read a private key file, and the certificate beside it (`-cert.pub`) if there is one.

    Raises `AuthError` with what is wrong with it.
    """
    secret = None if passphrase is None else passphrase.reveal().encode()
    try:
        encrypted = look_at_key(path).encrypted
        if encrypted and secret is None:
            raise AuthError(f"{path}: the private key is encrypted, and no passphrase was given")
        return _parse(Path(path).expanduser(), secret if encrypted else None)
    except UsageError as error:
        raise AuthError(str(error)) from error
    except (
        PasswordRequiredException,
        SSHException,
        UnknownKeyType,
        ValueError,
        TypeError,
    ) as error:
        if secret is not None:
            raise AuthError(f"{path}: the passphrase does not open this private key") from error
        raise AuthError(f"{path}: is no private key that can be used: {error}") from error


def _parse(file: Path, passphrase: bytes | None) -> PKey:
    """Read a key of any form that ssh reads; paramiko's own classes cannot read PKCS8."""
    try:
        return PKey.from_path(str(file), passphrase)
    except SSHException:
        content = file.read_bytes()
        if b"-----BEGIN PRIVATE KEY-----" not in content and b"BEGIN ENCRYPTED" not in content:
            raise
        return _parse_pkcs8(content, passphrase)


def _parse_pkcs8(content: bytes, passphrase: bytes | None) -> PKey:
    key = serialization.load_pem_private_key(content, passphrase)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode()
    for kind, parser in _PARSERS.items():
        if isinstance(key, kind):
            return parser.from_private_key(io.StringIO(text))
    raise SSHException(f"a key of the kind {type(key).__name__} cannot be used for SSH")


@functools.cache
def _own_keys() -> LoginKeys:
    keys: list[PKey] = list(agent_keys())
    blobs = {key.asbytes() for key in keys}
    for name in _USUAL_FILES:
        if Path(name).expanduser().is_file():
            try:
                key = read_key(name)
            except AuthError as error:
                log.info("not offered: %s", error)  # nobody asked for this one
            else:
                keys += [] if key.asbytes() in blobs else [key]  # the agent may hold it too
    left_out = len(keys) - MAX_OFFERS
    hint = ""
    if left_out > 0:
        hint = (
            f"; {left_out} more keys of the ssh-agent and ~/.ssh were not offered, since servers "
            "hang up after six: name the right one with --private-key"
        )
    return LoginKeys(keys=tuple(keys[:MAX_OFFERS]), hint=hint)
