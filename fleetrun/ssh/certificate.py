"""Host certificates: reading and judging them (OpenSSH's PROTOCOL.certkeys)."""

from __future__ import annotations

import fnmatch
import struct
import time
from dataclasses import dataclass

from fleetrun.errors import HostKeyError
from fleetrun.ssh import foreign  # noqa: F401 (makes paramiko cheap, and must come first)

from paramiko import Message, PKey  # isort: skip
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import SSHException

SUFFIX = "-cert-v01@openssh.com"

_KEY_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
}
"""How many strings the public key itself has, between the nonce and the serial number."""

_TYPE_HOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a host certificate says. Times are seconds since 1970, as on the wire.

    Attributes:
        plain_type: the type of the certified key (`ssh-ed25519`).
        plain_blob: the certified key itself.
        is_host: whether it is a host certificate, not a user's.
        key_id: the name that its maker gave it.
        principals: host names it is for; none means all.
        valid_after: first second of its validity.
        valid_before: first second after its validity.
        critical_options: whether it has options that a reader must know; we know none.
        authority: the blob of the key that signed it.
        signed: the bytes that were signed.
        signature: the signature.
    """

    plain_type: str
    plain_blob: bytes
    is_host: bool
    key_id: str
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical_options: bool
    authority: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def parse(cls, blob: bytes) -> Certificate:
        """Read a certificate's blob; raises `HostKeyError` when it is not one that we know."""
        reader = _Reader(blob)
        try:
            plain_type = reader.text().removesuffix(SUFFIX)
            reader.string()  # the nonce
            fields = [reader.string() for _ in range(_KEY_FIELDS[plain_type])]
            reader.number(8)  # the serial number
            kind = reader.number(4)
            key_id = reader.text()
            principals = tuple(_Reader(reader.string()).all_text())
            valid_after, valid_before = reader.number(8), reader.number(8)
            critical = reader.string()
            reader.string()  # extensions: for users only
            reader.string()  # reserved
            authority = reader.string()
            signed = blob[: reader.at]
            signature = reader.string()
        except (KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
            raise HostKeyError("its host certificate is damaged or of an unknown kind") from error
        return cls(
            plain_type=plain_type,
            plain_blob=b"".join(map(_string, [plain_type.encode(), *fields])),
            is_host=kind == _TYPE_HOST,
            key_id=key_id,
            principals=principals,
            valid_after=valid_after,
            valid_before=valid_before,
            critical_options=bool(critical),
            authority=authority,
            signed=signed,
            signature=signature,
        )

    def check(self, host: str) -> None:
        """Return when it is good for the host name now; raises `HostKeyError` with the reason."""
        what = f"its host certificate {self.key_id!r}"
        if not self.is_host:
            raise HostKeyError(f"{what} is a user's, not a host's")
        if self.critical_options:
            raise HostKeyError(f"{what} has critical options, of which none are known for hosts")
        now = time.time()
        if now < self.valid_after:
            raise HostKeyError(f"{what} is not valid yet, before {_shown_time(self.valid_after)}")
        if now >= self.valid_before:
            raise HostKeyError(f"{what} expired on {_shown_time(self.valid_before)}")
        if self.principals and not any(
            fnmatch.fnmatchcase(host.lower(), name.replace("[", "[[]")) for name in self.principals
        ):
            raise HostKeyError(f"{what} is for {', '.join(self.principals)}, not for {host}")
        self._check_signature(what)

    def _check_signature(self, what: str) -> None:
        try:
            authority = PKey.from_type_string(_Reader(self.authority).text(), self.authority)
            genuine = authority.verify_ssh_sig(self.signed, Message(self.signature))
        except (SSHException, UnknownKeyType, ValueError, IndexError) as error:
            raise HostKeyError(
                f"{what} is signed in a way that is not accepted: {error}"
            ) from error
        if not genuine:
            raise HostKeyError(f"{what} has a wrong signature")


class _Reader:
    """Reads the data types of RFC 4251, section 5, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, size: int) -> int:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise IndexError("too short")
        self.at += size
        return int.from_bytes(taken, "big")

    def string(self) -> bytes:
        size = self.number(4)
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise IndexError("too short")
        self.at += size
        return taken

    def text(self) -> str:
        return self.string().decode()

    def all_text(self) -> list[str]:
        texts = []
        while self.at < len(self._data):
            texts.append(self.text())
        return texts


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _shown_time(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "the end of time"
