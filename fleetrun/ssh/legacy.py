"""Algorithms that are left out by default, for devices that have nothing better.

A host asks for them with `legacy_algorithms`. They are CBC, 3DES, MD5 and SHA-1; each of them has
known attacks, and none is offered before a better one.
"""

from __future__ import annotations

from hashlib import sha1
from typing import ClassVar

from cryptography.hazmat.primitives import hashes

from fleetrun.ssh import foreign  # noqa: F401 (makes paramiko cheap, and must come first)

from paramiko import PKey, RSAKey  # isort: skip
from paramiko.kex_group14 import KexGroup14SHA256

CIPHERS = ("aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc")
MACS = ("hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96")
KEY_TYPE = "ssh-rsa"
KEX = "diffie-hellman-group14-sha1"
KNOWN = frozenset({*CIPHERS, *MACS, KEY_TYPE, KEX})


class KexGroup14SHA1(KexGroup14SHA256):
    """Diffie-Hellman in group 14 with SHA-1 (RFC 4253, section 8.2)."""

    name = KEX
    hash_algo = sha1


class RSAKeyWithSHA1(RSAKey):
    """An RSA key whose signatures may use SHA-1 (RFC 4253, section 6.6): a host's or a user's."""

    HASHES: ClassVar[dict[str, type]] = {
        **RSAKey.HASHES,
        KEY_TYPE: hashes.SHA1,
        f"{KEY_TYPE}-cert-v01@openssh.com": hashes.SHA1,
    }


def with_sha1(key: PKey) -> PKey:
    """Return an RSA key as one that can sign with SHA-1 too, and any other as it is."""
    if not isinstance(key, RSAKey):
        return key
    more_able = RSAKeyWithSHA1(key=key.key)
    more_able.public_blob = key.public_blob
    return more_able
