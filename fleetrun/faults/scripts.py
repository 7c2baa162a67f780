"""What a bad server may say: scripts for `fleetrun.faults.ScriptedServer`.

Each function returns a script; none of them keeps state between visits.
"""

from __future__ import annotations

import os
import struct

from fleetrun.faults.servers import Script, Visit

VERSION = b"SSH-2.0-scripted\r\n"
"""A version line that every client takes."""

_KEXINIT = 20
_LISTS = (
    "curve25519-sha256,curve25519-sha256@libssh.org",
    "ssh-ed25519",
    "aes128-ctr",
    "aes128-ctr",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
)
"""An offer that can be agreed on: RFC 4253, section 7.1."""

_CHUNK = b"x" * 65536


def silent() -> Script:
    """Accept and say nothing."""
    return Visit.listen_for_ever


def closing() -> Script:
    """Accept and close at once."""

    def script(visit: Visit) -> None:
        """Say nothing."""

    return script


def saying(data: bytes, *, then_close: bool = True) -> Script:
    """Say it, and close or be silent."""

    def script(visit: Visit) -> None:
        visit.say(data)
        if not then_close:
            visit.listen_for_ever()

    return script


def http() -> Script:
    """Answer as a web server does that is spoken SSH to; the status line has an escape in it."""
    body = b"<html><body>400 Bad Request</body></html>"
    head = b"HTTP/1.1 400 Bad \x1b[31mRequest\r\nServer: nginx\r\nContent-Length: %d\r\n\r\n"
    return saying(head % len(body) + body)


def dripping(data: bytes = VERSION, *, interval_s: float) -> Script:
    """Say it one byte at a time, with a pause after each; then be silent."""

    def script(visit: Visit) -> None:
        for byte in data:
            visit.say(bytes((byte,)))
            visit.pause(interval_s)
        visit.listen_for_ever()

    return script


def endless_lines() -> Script:
    """Say lines without end where the version should come."""

    def script(visit: Visit) -> None:
        lines = b"welcome\r\n" * 1000
        while True:
            visit.say(lines)

    return script


def one_long_line(size_bytes: int) -> Script:
    """Say one line of that size where the version should come, then the version."""

    def script(visit: Visit) -> None:
        for _ in range(size_bytes // len(_CHUNK)):
            visit.say(_CHUNK)
        visit.say(b"\r\n" + VERSION)
        visit.listen_for_ever()

    return script


def old_version() -> Script:
    """Speak SSH 1.5."""
    return saying(b"SSH-1.5-Cisco-1.25\r\n", then_close=False)


def stalling_in_kex(*, after_offer: bool) -> Script:
    """Stop after the version, or after the first message of the key exchange."""
    offer = packet(kexinit()) if after_offer else b""
    return saying(VERSION + offer, then_close=False)


def claiming_a_packet_of(size_bytes: int, *, sending_bytes: int = 1024 * 1024) -> Script:
    """Send a packet in the clear whose length field says size_bytes, and some of it."""

    def script(visit: Visit) -> None:
        visit.say(VERSION + struct.pack(">I", size_bytes))
        for _ in range(sending_bytes // len(_CHUNK)):
            visit.say(_CHUNK)
        visit.listen_for_ever()

    return script


def kexinit() -> bytes:
    """Return the payload of an offer of algorithms that every client of today can agree to."""
    lists = b"".join(struct.pack(">I", len(names)) + names.encode() for names in _LISTS)
    return bytes((_KEXINIT,)) + os.urandom(16) + lists + b"\0" + struct.pack(">I", 0)


def packet(payload: bytes) -> bytes:
    """Return the payload as a packet without encryption (RFC 4253, section 6)."""
    padding = 8 - (len(payload) + 5) % 8
    if padding < 4:  # noqa: PLR2004 (section 6: at least four bytes)
        padding += 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
