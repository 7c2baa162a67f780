"""The report as one JSON document, for programs: `--format json`."""

from __future__ import annotations

import base64
import json

from fleetrun.events import Event
from fleetrun.output.writer import Writer
from fleetrun.results import Report, Result


class JsonDocument:
    r"""A sink that writes `{"results": [...], "summary": {...}}` when the run is over.

    Results stand in inventory order, one a line. What is not ASCII is written as `\u…`, so that
    the document is safe to show on a terminal too.
    """

    def __init__(self, out: Writer) -> None:
        self._out = out

    def take(self, event: Event) -> None:
        """Do nothing: the document is made of the report."""

    def close(self, report: Report) -> None:
        """Write the document; raises `OSError` when it cannot be written."""
        self._out.write(b'{"results": [')
        separator = b"\n"
        for result in report:
            self._out.write(separator + json.dumps(result_as_json(result)).encode())
            separator = b",\n"
        summary = json.dumps(summary_as_json(report))
        self._out.write(f'\n], "summary": {summary}}}\n'.encode())


def result_as_json(result: Result) -> dict[str, object]:
    """Return one result as JSON's types; fields may be added, and none is renamed."""
    return {
        "host": result.host,
        "outcome": result.outcome,
        "phase": result.phase,
        "exit_status": result.exit_status,
        "signal": result.signal,
        **_output("stdout", result.stdout),
        **_output("stderr", result.stderr),
        "truncated": result.truncated,
        "may_still_run": result.may_still_run,
        "error": result.error,
        "seconds": round(result.seconds, 6),
        "attempts": result.attempts,
        "phase_seconds": {phase: round(s, 6) for phase, s in result.phase_seconds.items()},
        "stdout_bytes": result.stdout_bytes,
        "stderr_bytes": result.stderr_bytes,
        "files": result.files,
        "killed": {None: None, True: "confirmed", False: "unconfirmed"}[result.killed],
    }


def summary_as_json(report: Report) -> dict[str, object]:
    """Return how many hosts had each outcome, and the seconds that the run took."""
    counts = {str(outcome): count for outcome, count in report.counts.items()}
    return {**counts, "wall_seconds": round(report.wall_seconds, 6)}


def _output(name: str, data: bytes) -> dict[str, str]:
    """Return the bytes as text under the name, or in base64 under another: never changed."""
    try:
        return {name: data.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode("ascii")}
