"""The runs of a comparison as one JSON document, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fleetrun.output.writer import Writer
from fleetrun.runs import Run


def write_compare_json(runs: Sequence[Run], out: Writer) -> None:
    r"""Write `{"runs": [...]}`, one run a line, in the order in which they were measured.

    What is not ASCII is written as `\u…`. Raises `OSError` when it cannot be written.
    """
    lines = ",\n".join(json.dumps(run_as_json(run)) for run in runs)
    out.write(f'{{"runs": [\n{lines}\n]}}\n'.encode())


def run_as_json(run: Run) -> dict[str, object]:
    """Return one run as JSON's types; fields may be added, and none is renamed.

    The fields are those of `Run`, and None, as there, is null.
    """
    return {
        "mode": run.mode,
        "forks": run.forks,
        "workers": run.workers,
        "wall_seconds": round(run.wall_seconds, 6),
        "cpu_seconds": None if run.cpu_seconds is None else round(run.cpu_seconds, 6),
        "speedup": None if run.speedup is None else round(run.speedup, 6),
        "peak_overlap": run.peak_overlap,
        "ok": run.ok,
        "not_ok": run.not_ok,
        "exit_code": run.exit_code,
        "problem": run.problem,
    }
