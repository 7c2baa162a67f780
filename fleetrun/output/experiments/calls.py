"""What calls did to their callers, shown: a row for each style in each mode.

style        mode     wall s  held s  ticks  looks  wake-ups  CPU ms  late ms  most late ms  at once
one by one   threads    2.05    2.05      0      0        16       5        1             1        1
callbacks    threads    0.46    0.00     88      0         2       9        1             2        8
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fleetrun.findings.calls import CallFindings, CallRun
from fleetrun.output.columns import UNKNOWN, Column, write_columns
from fleetrun.output.experiments.document import write_sentences
from fleetrun.output.figure import bars, drawn, legend
from fleetrun.output.writer import Writer

_COLUMNS: tuple[Column[CallRun], ...] = (
    Column(title="style", cell=lambda run: run.style, is_text=True),
    Column(title="mode", cell=lambda run: run.mode, is_text=True),
    Column(title="wall s", cell=lambda run: f"{run.wall_seconds:.2f}"),
    Column(title="held s", cell=lambda run: f"{run.held_seconds:.2f}"),
    Column(title="ticks", cell=lambda run: str(run.ticks)),
    Column(title="looks", cell=lambda run: str(run.looks)),
    Column(
        title="wake-ups", cell=lambda run: UNKNOWN if run.wake_ups is None else str(run.wake_ups)
    ),
    Column(title="CPU ms", cell=lambda run: f"{run.cpu_seconds * 1e3:.0f}"),
    Column(title="late ms", cell=lambda run: f"{run.delay_p50_seconds * 1e3:.1f}"),
    Column(title="most late ms", cell=lambda run: f"{run.delay_max_seconds * 1e3:.1f}"),
    Column(title="at once", cell=lambda run: str(run.peak_overlap)),
)


def write_table(findings: CallFindings, out: Writer) -> None:
    """Write the runs, and what they show."""
    write_columns(_COLUMNS, findings.runs, out)
    write_sentences(findings.says, out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A panel of the figure: a field of the runs, and how it is drawn."""

    field: str
    label: str
    scale: float = 1.0
    form: str = "{:.3g}"
    log: bool = False


_PANELS: tuple[_Panel, ...] = (
    _Panel(field="wall_seconds", label="wall time, s", form="{:.2f}"),
    _Panel(field="held_seconds", label="caller held, s", form="{:.2f}"),
    _Panel(field="ticks", label="own work done, ticks of 5 ms"),
    _Panel(field="cpu_seconds", label="caller's CPU, ms (log scale)", scale=1e3, log=True),
    _Panel(field="delay_max_seconds", label="most late, ms (log scale)", scale=1e3, log=True),
)


def draw(findings: CallFindings, path: Path) -> None:
    """Write the figure: the styles from top to bottom, a panel for each of five measures."""
    names = list(dict.fromkeys(run.style for run in findings.runs))
    modes = list(dict.fromkeys(run.mode for run in findings.runs))
    found = {(run.mode, run.style): run for run in findings.runs}
    title = f"Ways to call {findings.hosts} hosts"
    with drawn(path, title=title, columns=len(_PANELS), inches=(12.0, 4.8)) as panels:
        for panel, shown in zip(panels, _PANELS, strict=True):
            series: dict[str, list[float | None]] = {
                mode: [getattr(found[mode, name], shown.field) * shown.scale for name in names]
                for mode in modes
            }
            show_names = panel is panels[0]
            bars(
                panel,
                names,
                series,
                label=shown.label,
                form=shown.form,
                log=shown.log,
                show_names=show_names,
            )
        legend(panels[0])
