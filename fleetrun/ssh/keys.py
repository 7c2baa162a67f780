"""The caller's own keys: read and decrypted once a process, and used by every session."""

from __future__ import annotations

import copy
import functools
import io
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetrun.errors import AuthError, HostKeyError, UsageError
from fleetrun.hosts import AGENT_OF_ENVIRONMENT, DEFAULT_IDENTITY_FILES, Host, Secret
from fleetrun.ssh.agent import agent_keys
from fleetrun.ssh.belongings import Belongings, is_there, sent_belongings
from fleetrun.ssh.certificate import Certificate
from fleetrun.ssh.keyfile import (
    is_encrypted,
    public_blob,
    read_private_key,
    read_public_blob,
    without_passphrase,
)

from cryptography.hazmat.primitives import serialization  # isort: skip
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

# fleetrun.ssh.agent makes it cheap, and must come first
from paramiko import ECDSAKey, Ed25519Key, Message, PKey, RSAKey  # isort: skip
from paramiko.agent import AgentKey
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import PasswordRequiredException, SSHException

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """What a host says of the keys to offer, as far as it does not name a single one.

    The fields are those of `Host`: `identity_files`, `identities_only`, `identity_agent`,
    `certificate_files`.
    """

    files: tuple[str, ...] = DEFAULT_IDENTITY_FILES
    only: bool = False
    agent: str | None = AGENT_OF_ENVIRONMENT
    certificates: tuple[str, ...] = ()

    @classmethod
    def of(cls, host: Host) -> Identities:
        """Return what the host says."""
        return cls(
            files=host.identity_files,
            only=host.identities_only,
            agent=host.identity_agent,
            certificates=host.certificate_files,
        )


def login_keys(host: Host) -> LoginKeys:
    """Return the keys to offer to the host: the one it names alone, or the agent's and its files'.

    Raises `AuthError` when the named one cannot be used.
    """
    with _lock:  # the first session reads, the others wait and share
        if host.private_key is not None:
            named = read_key(host.private_key, host.key_passphrase)
            return LoginKeys(keys=tuple(with_certificates([named], host.certificate_files)))
        return _own_keys(Identities.of(host), sent_belongings())


def read_key(path: str, passphrase: Secret | None = None) -> PKey:
    """Read a private key file, and the certificate beside it (`-cert.pub`) if there is one.

    Raises `AuthError` with what is wrong with it.
    """
    return _read_key(path, passphrase, sent_belongings())


@functools.lru_cache(maxsize=256)
def _read_key(path: str, passphrase: Secret | None, _sent: Belongings | None) -> PKey:
    """Read it once, and once more when it is another file that was sent under that name."""
    secret = None if passphrase is None else passphrase.reveal().encode()
    try:
        content = read_private_key(path)
        encrypted = is_encrypted(path, content)
        if encrypted and secret is None:
            raise AuthError(without_passphrase(path))
        key = _parse(content, secret if encrypted else None)
        if is_there(beside := f"{path}-cert.pub"):
            key.load_certificate(_certificate_in(beside))
        return key  # noqa: TRY300 (beside the lines whose errors it is spared)
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


def _parse(content: bytes, passphrase: bytes | None) -> PKey:
    """Read a key of any form that ssh reads; paramiko's own classes cannot read PKCS8.

    It is decrypted once, which is made to take long, and given to paramiko in the clear.
    """
    of_openssh = b"-----BEGIN OPENSSH" in content
    pem = serialization.load_pem_private_key
    key = (serialization.load_ssh_private_key if of_openssh else pem)(content, passphrase)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode()
    for kind, parser in _PARSERS.items():
        if isinstance(key, kind):
            return parser.from_private_key(io.StringIO(text))
    raise SSHException(f"a key of the kind {type(key).__name__} cannot be used for SSH")


def _certificate_in(path: str) -> Message:
    """Return a certificate as paramiko takes it; raises `ValueError` with what is wrong with it."""
    try:
        blob = read_public_blob(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror or error}") from error
    if blob is None:
        raise ValueError(f"{path}: is no certificate")
    return Message(blob)


@functools.lru_cache(maxsize=256)
def _own_keys(identities: Identities, sent: Belongings | None) -> LoginKeys:
    """Put the keys in ssh's order: the agent's that the files name, its others, the files' own.

    Where the files were sent to, the agent that belongs with them cannot be asked.
    """
    files = list(filter(is_there, identities.files))
    agent = identities.agent if sent is None else None
    from_agent = [] if agent is None else agent_keys(agent)
    held = {key.asbytes(): key for key in from_agent}
    named = [blob for path in files if held and (blob := public_blob(path)) is not None]
    first: list[PKey] = [held[blob] for blob in dict.fromkeys(named) if blob in held]
    last, hints = _own_files(files, held)
    if agent != identities.agent:
        hints.append("; keys of an ssh-agent are not sent, and were not offered")
    others = [] if identities.only else [key for key in from_agent if key not in first]
    room = max(0, MAX_OFFERS - len(first) - len(last))
    left_out = len(others) - room
    if left_out > 0:
        hints.append(
            f"; {left_out} more keys of the ssh-agent were not offered, since servers "
            "hang up after six: name the right one with --private-key"
        )
    if from_agent and not (first or others[:room]):
        from_agent[0].agent.close()  # nobody will ask it again
    keys = with_certificates([*first, *others[:room], *last], identities.certificates)
    return LoginKeys(keys=tuple(keys), hint="".join(hints))


def _own_files(paths: Sequence[str], held: Mapping[bytes, object]) -> tuple[list[PKey], list[str]]:
    """Read the files whose keys the agent does not hold; return them, and why some cannot be."""
    keys: list[PKey] = []
    hints: list[str] = []
    for path in paths:
        if held and public_blob(path) in held:
            continue
        try:
            key = read_key(path)
        except AuthError as error:
            log.info("not offered: %s", error)
            if path not in DEFAULT_IDENTITY_FILES:  # of the usual ones nobody asked for it
                hints.append(f"; not offered: {error}")
        else:
            keys += [] if key.asbytes() in held else [key]
    return keys, hints


def with_certificates(keys: Sequence[PKey], files: Sequence[str]) -> Iterator[PKey]:
    """Yield the keys, and before each of them itself with every certificate that is for it.

    A certificate that cannot be read is left out, as ssh does.
    """
    certificates = [(path, blob) for path in files if (blob := _certified_blob(path)) is not None]
    for key in keys:
        for path, blob in certificates:
            if key.asbytes() == blob:
                certified = _copy(key)
                certified.load_certificate(_certificate_in(path))
                yield certified
        yield key


def _certified_blob(path: str) -> bytes | None:
    """Return the key that a certificate is for; None when it cannot be read."""
    try:
        certificate = read_public_blob(path)
        return None if certificate is None else Certificate.parse(certificate).plain_blob
    except (OSError, HostKeyError) as error:
        log.info("certificate %s left out: %s", path, error)
        return None


def _copy(key: PKey) -> PKey:
    if isinstance(key, AgentKey):
        return AgentKey(agent=key.agent, blob=key.blob, comment=key.comment)
    return copy.copy(key)
