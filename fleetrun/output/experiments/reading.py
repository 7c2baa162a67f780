"""What the I/O models took, shown: a row for each model, of the sessions and of so many streams.

model     of           calls  in vain  wake-ups  CPU ms  first byte s  all first s  last byte s
blocking  10 streams      60        0        32     1.0          0.80         0.97         0.99
epoll     10 streams     120        0        51     1.6          0.25         0.41         0.99
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from fleetrun.findings.reading import ReadFindings, ReadRun
from fleetrun.output.columns import UNKNOWN, Column, write_columns
from fleetrun.output.experiments.document import write_sentences
from fleetrun.output.figure import COLOURS, PALE, drawn, legend
from fleetrun.output.writer import Writer

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _unless_missing(run: ReadRun, text: str) -> str:
    return text if run.problem is None else UNKNOWN


_COLUMNS: tuple[Column[ReadRun], ...] = (
    Column(title="model", cell=lambda run: run.model, is_text=True),
    Column(title="of", cell=lambda run: f"{run.count} {run.source}", is_text=True),
    Column(title="calls", cell=lambda run: _unless_missing(run, str(run.system_calls))),
    Column(title="in vain", cell=lambda run: _unless_missing(run, str(run.in_vain))),
    Column(
        title="wake-ups", cell=lambda run: UNKNOWN if run.wake_ups is None else str(run.wake_ups)
    ),
    Column(title="CPU ms", cell=lambda run: _unless_missing(run, f"{run.cpu_seconds * 1e3:.1f}")),
    Column(
        title="first byte s",
        cell=lambda run: _unless_missing(run, f"{run.first_p50_seconds:.2f}"),
    ),
    Column(
        title="all first s", cell=lambda run: _unless_missing(run, f"{run.first_max_seconds:.2f}")
    ),
    Column(
        title="last byte s", cell=lambda run: _unless_missing(run, f"{run.last_max_seconds:.2f}")
    ),
)


def write_table(findings: ReadFindings, out: Writer) -> None:
    """Write the runs, why a row has no figures, and what they show."""
    write_columns(_COLUMNS, findings.runs, out)
    for run in findings.runs:
        if run.problem is not None:
            line = f"{run.model} of {run.count} {run.source}: {run.problem}\n"
            out.write(line.encode())
    write_sentences(findings.says, out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A panel of the figure: a field of the runs over the number of streams."""

    field: str
    label: str
    scale: float = 1.0
    log: bool = True


_PANELS = (
    _Panel(field="system_calls", label="system calls"),
    _Panel(field="cpu_seconds", label="processor time, ms", scale=1e3),
    _Panel(field="wake_ups", label="wake-ups"),
    _Panel(field="first_p50_seconds", label="first byte (median), s", log=False),
)
_MARKS = "osD^vP*Xh"


def draw(findings: ReadFindings, path: Path) -> None:
    """Write the figure: four measures over the number of streams, a line for each model.

    A hollow mark is that of the sessions.
    """
    runs = [run for run in findings.runs if run.problem is None]
    models = list(dict.fromkeys(run.model for run in runs))
    title = "One thread reads many outputs"
    with drawn(path, title=title, rows=2, columns=2, inches=(9.6, 7.2)) as panels:
        for panel, shown in zip(panels, _PANELS, strict=True):
            colours = zip(models, cycle(COLOURS), cycle(_MARKS), strict=False)
            for model, colour, mark in colours:
                of_it = [run for run in runs if run.model == model]
                _plot(panel, shown, of_it, colour=colour, mark=mark)
            _dress(panel, shown, sorted({run.count for run in runs if run.source == "streams"}))
        legend(panels[0], columns=5)


def _plot(panel: Axes, shown: _Panel, runs: list[ReadRun], *, colour: str, mark: str) -> None:
    for source, face, line in (("streams", colour, "-"), ("sessions", "white", "")):
        points = [
            (run.count, value * shown.scale)
            for run in runs
            if run.source == source and (value := getattr(run, shown.field)) is not None
        ]
        if points:
            counts, values = zip(*points, strict=True)
            panel.plot(
                counts,
                values,
                color=colour,
                marker=mark,
                markerfacecolor=face,
                markersize=5,
                linestyle=line,
                linewidth=1.4,
                clip_on=False,
                label=runs[0].model if source == "streams" else None,
            )


def _dress(panel: Axes, shown: _Panel, counts: list[int]) -> None:
    panel.set_xscale("log")
    if shown.log:
        panel.set_yscale("symlog", linthresh=1)  # zero has a place on it
        panel.yaxis.set_major_formatter("{x:g}")
    panel.set_ylim(bottom=0)
    panel.set_xticks(counts, [str(count) for count in counts])
    panel.minorticks_off()
    panel.set_xlabel("streams (hollow marks: SSH sessions)")
    panel.set_ylabel(f"{shown.label}{' (log scale)' if shown.log else ''}")
    panel.grid(visible=True, color=PALE, linewidth=0.6)
