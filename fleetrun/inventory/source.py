"""Files that inventories are read from."""

from __future__ import annotations

import stat
from pathlib import Path

from fleetrun.inventory.place import Place

MAX_BYTES = 64 * 1024 * 1024
"""Refused above: 100,000 hosts with ten variables each have about 30 MB."""


def read_text(path: Path) -> str:
    """Return the text of an inventory file, without the mark of byte order that it may begin with.

    Raises `InventoryError` when there is no such file, when it is no ordinary file (a pipe could
    make us wait for ever), when it cannot be read, is too large or is not UTF-8.
    """
    place = Place(str(path))
    try:
        _check_kind(path, place)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise place.error(f"it cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise place.error(f"it cannot be read: {error}") from error
    if len(data) > MAX_BYTES:
        raise place.error(f"it is larger than {MAX_BYTES >> 20} MiB")
    return _decode(data, place)


def _check_kind(path: Path, place: Place) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise place.error(
            "there is no such file; a list of hosts is written with a comma: 'web1,web2,'"
        ) from error
    if stat.S_ISDIR(mode):
        raise place.error("it is a folder; give the inventory file in it")
    if not stat.S_ISREG(mode):
        raise place.error("it is not an ordinary file")


def _decode(data: bytes, place: Place) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise place._replace(line=line).error(
            f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from error
