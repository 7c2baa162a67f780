"""The hosts that known_hosts knows, as an inventory: their names, as ssh once connected to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from fleetrun.inventory.files import read_text
from fleetrun.inventory.place import Place
from fleetrun.inventory.remarks import Remarks

USUAL_KNOWN_HOSTS = "~/.ssh/known_hosts"

_PATTERN = re.compile(r"[*?!]")
_WITH_PORT = re.compile(r"\[(?P<name>[^\]:]+)\](?P<port>:[0-9]+)")


def known_hosts_names(path: Path, remarks: Remarks) -> Iterator[tuple[str, Place]]:
    """Yield the first name of each line, with its port if it has one, and where it stands.

    Left out are authorities and revoked keys, patterns, and hashed names, of which a remark tells.
    Raises `InventoryError` when the file cannot be read.
    """
    source = str(path)
    for number, line in enumerate(read_text(path, Place(source)).splitlines(), start=1):
        names = line.partition(" ")[0]
        place = Place(source, number)
        if names.startswith("|"):
            remarks.add(place, "the name is hashed, and its host left out")
        elif names and names[0] not in "#@" and not _PATTERN.search(names):
            yield _WITH_PORT.sub(r"\g<name>\g<port>", names.split(",")[0]), place
