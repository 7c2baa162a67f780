"""Building SSH messages: the data types of RFC 4251, section 5."""

from __future__ import annotations

import struct

from fleetrun.ssh import foreign  # noqa: F401 (makes paramiko cheap, and must come first)

from paramiko.message import Message  # isort: skip


def build_message(number: int, *fields: bool | int | str | bytes) -> Message:
    """Build a message; an int becomes a uint32, text and bytes a string with its length."""
    parts = [bytes((number,))]
    for field in fields:
        if isinstance(field, bool):
            parts.append(b"\1" if field else b"\0")
        elif isinstance(field, int):
            parts.append(struct.pack(">I", field))
        else:
            data = field.encode() if isinstance(field, str) else field
            parts += [struct.pack(">I", len(data)), data]
    return Message(b"".join(parts))


def read_text(message: Message) -> str:
    """Read a string that is meant to be UTF-8; what is not is replaced, never an error."""
    return str(message.get_string().decode("utf-8", "replace"))
