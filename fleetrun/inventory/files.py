"""Files that inventories are read from, and standard input: as text, within bounds."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import BinaryIO

from fleetrun.inventory.place import Place

MAX_BYTES = 64 * 1024 * 1024
"""Refused above: 100,000 hosts with ten variables each have about 30 MB."""


def read_text(path: Path, place: Place) -> str:
    """Return the text of a file, without the mark of byte order that it may begin with.

    Raises `InventoryError` at the place when there is no such file, when it is no ordinary file
    (a pipe could make us wait for ever), when it cannot be read, is too large or is not UTF-8.
    """
    try:
        _check_kind(path, place)
        with path.open("rb") as file:
            return _read(file, place)
    except OSError as error:
        raise place.error(f"it cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise place.error(f"it cannot be read: {error}") from error


def read_standard_input(place: Place) -> str:
    """Return what comes on standard input, to its end; raises `InventoryError` as `read_text`."""
    if sys.stdin is None:
        raise place.error("there is no standard input")
    return _read(sys.stdin.buffer, place)


def decode(data: bytes, place: Place) -> str:
    """Return the bytes as text; raises `InventoryError` when they are too many, or no UTF-8."""
    if len(data) > MAX_BYTES:
        raise place.error(f"it is larger than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise place._replace(line=line).error(
            f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from error


def _read(file: BinaryIO, place: Place) -> str:
    return decode(file.read(MAX_BYTES + 1), place)


def _check_kind(path: Path, place: Place) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise place.error("there is no such file") from error
    if not stat.S_ISREG(mode):
        raise place.error("it is not an ordinary file")
