"""The cipher chacha20-poly1305@openssh.com, which paramiko lacks and tinysshd alone insists on.

OpenSSH's PROTOCOL.chacha20poly1305: two keys, one for a packet's length and one for the rest; the
nonce is the packet's number; the tag is over what is sent, and checked before anything is opened.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.poly1305 import Poly1305

NAME = "chacha20-poly1305@openssh.com"
KEY_BYTES = 64
TAG_BYTES = 16
BLOCK_BYTES = 8
"""What a packet is padded to, its length field left out."""

_LENGTH_BYTES = 4


class ChaChaPoly:
    """Seals and opens packets of one direction, by their number."""

    def __init__(self, key: bytes) -> None:
        self._main_key, self._length_key = key[:32], key[32:]

    def seal(self, number: int, packet: bytes) -> bytes:
        """Return a whole packet, its length field first, as it is sent."""
        length = _stream(self._length_key, number, 0, packet[:_LENGTH_BYTES])
        sealed = length + _stream(self._main_key, number, 1, packet[_LENGTH_BYTES:])
        return sealed + Poly1305.generate_tag(self._tag_key(number), sealed)

    def length(self, number: int, sealed: bytes) -> int:
        """Return how many bytes follow the four of a sealed length field, the tag left out.

        Nobody has vouched for it yet: it is good for knowing how much to read, and nothing else.
        """
        return int.from_bytes(_stream(self._length_key, number, 0, sealed), "big")

    def open(self, number: int, length: bytes, rest: bytes) -> bytes:
        """Return what follows the length field, from its sealed form with the tag at its end.

        Raises `cryptography.exceptions.InvalidSignature` when anything was changed.
        """
        body, tag = rest[:-TAG_BYTES], rest[-TAG_BYTES:]
        Poly1305.verify_tag(self._tag_key(number), length + body, tag)
        return _stream(self._main_key, number, 1, body)

    def _tag_key(self, number: int) -> bytes:
        return _stream(self._main_key, number, 0, bytes(32))


def _stream(key: bytes, number: int, block: int, data: bytes) -> bytes:
    nonce = struct.pack("<Q", block) + struct.pack(">Q", number)
    return Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor().update(data)
