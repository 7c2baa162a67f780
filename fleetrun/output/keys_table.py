"""Host keys that were scanned, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from fleetrun.output.escape import visible
from fleetrun.output.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key of one host.

    Attributes:
        host: the host's name.
        standing: `known`, `new`, `CHANGED` or `REVOKED`.
        key_type: as in known_hosts.
        fingerprint: `SHA256:…`.
        place: the known_hosts line that the standing rests on; None without one.
    """

    host: str
    standing: str
    key_type: str
    fingerprint: str
    place: str | None


_HEADS = ("HOST", "STANDING", "TYPE", "FINGERPRINT", "KNOWN_HOSTS LINE")


def write_keys_table(rows: Sequence[KeyRow], out: Writer) -> None:
    """Write aligned columns with a head; nothing when there are no rows."""
    cells = [
        _HEADS,
        *((r.host, r.standing, r.key_type, r.fingerprint, r.place or "") for r in rows),
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADS))]
    for row in cells if rows else ():
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        out.write(f"{visible(line.rstrip())}\n".encode())


def write_keys_json(rows: Sequence[KeyRow], out: Writer) -> None:
    """Write one document, `{"keys": [{…}]}`, with a row's fields by their names."""
    keys = [
        {
            "host": row.host,
            "standing": row.standing,
            "key_type": row.key_type,
            "fingerprint": row.fingerprint,
            "place": row.place,
        }
        for row in rows
    ]
    out.write((json.dumps({"keys": keys}, indent=2) + "\n").encode())
