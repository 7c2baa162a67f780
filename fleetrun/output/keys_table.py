"""Host keys that were scanned, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from fleetrun.output.escape import visible
from fleetrun.output.json_document import result_as_json, summary_as_json
from fleetrun.output.writer import Writer
from fleetrun.results import Report


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
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells if rows else ():
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        out.write(f"{line.rstrip()}\n".encode())


def _cells(row: KeyRow) -> tuple[str, ...]:
    return tuple(
        map(visible, (row.host, row.standing, row.key_type, row.fingerprint, row.place or ""))
    )


def write_keys_json(rows: Sequence[KeyRow], report: Report, out: Writer) -> None:
    """Write one document, `{"keys": [{…}], "results": [{…}], "summary": {…}}`.

    A row's fields stand by their names; results and summary are those of every other document, so
    that a host that was not reached is in it too.
    """
    document = {
        "keys": [asdict(row) for row in rows],
        "results": [result_as_json(result) for result in report],
        "summary": summary_as_json(report),
    }
    out.write((json.dumps(document, indent=2) + "\n").encode())
