"""What workers cost, shown: a row for each kind.

kind        paramiko  create ms  end ms  memory MB  resident MB  job µs  made
thread            no      0.046   0.021      0.017        0.017       7   200
"""

from __future__ import annotations

from pathlib import Path

from fleetrun.findings.spawn import SpawnFindings, WorkerCost
from fleetrun.output.columns import Column, known, write_columns
from fleetrun.output.experiments.document import write_sentences
from fleetrun.output.figure import bars, drawn, legend
from fleetrun.output.writer import Writer

_COLUMNS: tuple[Column[WorkerCost], ...] = (
    Column(title="kind", cell=lambda cost: cost.kind, is_text=True),
    Column(title="paramiko", cell=lambda cost: _yes_or_no(given=cost.paramiko)),
    Column(title="create ms", cell=lambda cost: known(cost.create_seconds, "{:.3f}", scale=1e3)),
    Column(title="end ms", cell=lambda cost: known(cost.destroy_seconds, "{:.3f}", scale=1e3)),
    Column(title="memory MB", cell=lambda cost: known(cost.pss_bytes, "{:.3f}", scale=1e-6)),
    Column(title="resident MB", cell=lambda cost: known(cost.rss_bytes, "{:.3f}", scale=1e-6)),
    Column(title="job µs", cell=lambda cost: known(cost.round_trip_seconds, "{:.0f}", scale=1e6)),
    Column(title="made", cell=lambda cost: str(cost.made)),
)


def write_table(findings: SpawnFindings, out: Writer) -> None:
    """Write the table, why a row has no figures, and what they show."""
    write_columns(_COLUMNS, findings.costs, out)
    for cost in findings.costs:
        if cost.problem is not None:
            out.write(f"{cost.kind}: {cost.problem}\n".encode())
    write_sentences(findings.says, out)


def draw(findings: SpawnFindings, path: Path) -> None:
    """Write the figure: a panel for time, memory and handing over, on logarithmic scales."""
    names = list(dict.fromkeys(cost.kind for cost in findings.costs))
    title = "What a worker costs"
    with drawn(path, title=title, columns=3, inches=(9.2, 3.2)) as (time, memory, job):
        life = _series(findings, names, "life_seconds", 1e3)
        bars(time, names, life, label="made and ended, ms (log scale)", log=True)
        added = _series(findings, names, "pss_bytes", 1e-6)
        bars(memory, names, added, label="memory each, MB (log scale)", log=True, show_names=False)
        trips = _series(findings, names, "round_trip_seconds", 1e6)
        bars(job, names, trips, label="a job and back, µs", show_names=False)
        legend(time)


def _series(
    findings: SpawnFindings, names: list[str], field: str, scale: float
) -> dict[str, list[float | None]]:
    """Return the field of each kind, without and with paramiko, in the unit of the scale."""
    values = {(cost.kind, cost.paramiko): getattr(cost, field) for cost in findings.costs}
    return {
        called: [
            None if (value := values.get((name, paramiko))) is None else value * scale
            for name in names
        ]
        for called, paramiko in (("empty", False), ("with paramiko", True))
    }


def _yes_or_no(*, given: bool) -> str:
    return "yes" if given else "no"
