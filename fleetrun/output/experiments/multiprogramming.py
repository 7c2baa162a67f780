"""Tasks and processors, shown: a row for each run, a timeline for each, a row for each counter.

processes on 2 processors
  1  ...00000000....11111111
  2  0000....-0000....00000
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fleetrun.findings.multiprogramming import (
    CounterRun,
    MultiprogrammingFindings,
    Span,
    State,
    TaskRun,
)
from fleetrun.output.columns import UNKNOWN, Column, write_columns
from fleetrun.output.experiments.document import write_sentences
from fleetrun.output.figure import COLOURS, PALE, drawn, legend
from fleetrun.output.writer import Writer

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_RUNS: tuple[Column[TaskRun], ...] = (
    Column(title="tasks as", cell=lambda run: run.workers, is_text=True),
    Column(title="processors", cell=lambda run: str(run.processors)),
    Column(title="wall s", cell=lambda run: f"{run.wall_seconds:.2f}"),
    Column(title="waiting at once", cell=lambda run: str(run.waiting_at_once)),
    Column(title="cores busy", cell=lambda run: f"{run.cores_busy:.2f}"),
    Column(title="gave up", cell=lambda run: str(run.gave_up)),
    Column(title="pushed off", cell=lambda run: str(run.pushed_off)),
    Column(title="moved", cell=lambda run: UNKNOWN if run.moved is None else str(run.moved)),
)
_COUNTERS: tuple[Column[CounterRun], ...] = (
    Column(title="counter of", cell=lambda run: run.workers, is_text=True),
    Column(title="memory", cell=lambda run: run.memory, is_text=True),
    Column(title="step", cell=lambda run: run.step, is_text=True),
    Column(title="lock", cell=lambda run: "yes" if run.lock else "no"),
    Column(title="added", cell=lambda run: str(run.expected)),
    Column(title="counted", cell=lambda run: str(run.counted)),
)
_COLUMNS = 72
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ON_SOME = "#"
"""Computing on a processor whose number is unknown, or too high for one character."""
_WAITING, _READY = ".", "-"
_KEY = "0, 1 …: computing on that processor   -: ready, held up   .: waiting"


def write_table(findings: MultiprogrammingFindings, out: Writer) -> None:
    """Write the runs, their timelines, the counters, and what all of it shows."""
    write_columns(_RUNS, findings.runs, out)
    out.write("".join(f"{line}\n" for line in _timelines(findings)).encode())
    write_columns(_COUNTERS, findings.counters, out)
    write_sentences(findings.says, out)


def _timelines(findings: MultiprogrammingFindings) -> Iterator[str]:
    """Yield the timelines of the runs that overlap, all on one scale."""
    runs = [run for run in findings.runs if run.workers != "one by one"]
    step_s = max(run.wall_seconds for run in runs) / _COLUMNS
    yield f"\n{_KEY}; a character is {step_s * 1000:.0f} ms"
    for run in runs:
        yield f"\n{_title(run)}"
        for number, task in enumerate(run.tasks, start=1):
            yield f"{number:>3}  {line_of(task, step_s)}"
    yield ""


def line_of(task: tuple[Span, ...], step_s: float) -> str:
    """Return a task's time as characters, each for what filled most of its step."""
    steps = int(task[-1].end_s / step_s)
    return "".join(
        _mark(max(task, key=lambda span: _shared_s(span, number * step_s, (number + 1) * step_s)))
        for number in range(steps)
    )


def _shared_s(span: Span, begin_s: float, end_s: float) -> float:
    """Return how much of the time between is the span's; less than nothing when none is."""
    return min(span.end_s, end_s) - max(span.begin_s, begin_s)


def _mark(span: Span) -> str:
    match span.state:
        case State.WAITING:
            return _WAITING
        case State.READY:
            return _READY
        case State.COMPUTING if span.processor is None or span.processor >= len(_DIGITS):
            return _ON_SOME
        case State.COMPUTING:
            return _DIGITS[span.processor]


def _title(run: TaskRun) -> str:
    return f"{run.workers} on {run.processors} processor{'s' if run.processors > 1 else ''}"


def draw(findings: MultiprogrammingFindings, path: Path) -> None:
    """Write the figure: a panel for each run, a lane for each task, all on one scale of time."""
    runs = findings.runs
    title = f"{len(runs[0].tasks)} tasks that wait and compute"
    height = 0.6 + len(runs) * (0.55 + 0.16 * len(runs[0].tasks))
    with drawn(path, title=title, rows=len(runs), inches=(9.2, height)) as panels:
        for run, panel in zip(runs, panels, strict=True):
            _fill(panel, run)
            panel.set_xlim(0, max(run.wall_seconds for run in runs))
            panel.tick_params(labelbottom=panel is panels[-1])
        panels[-1].set_xlabel("seconds since the first task began")
        _explain_colours(panels[0], findings)


def _fill(panel: Axes, run: TaskRun) -> None:
    panel.set_title(
        f"{_title(run)}: {run.wall_seconds:.2f} s, {run.cores_busy:.2f} processors busy", loc="left"
    )
    for number, task in enumerate(run.tasks, start=1):
        for colour in sorted(set(map(_colour, task))):
            spans = [(each.begin_s, each.end_s - each.begin_s) for each in task
                     if _colour(each) == colour]  # fmt: skip
            high = 0.12 if colour == _WAITING_COLOUR else 0.7
            panel.broken_barh(spans, (number - high / 2, high), facecolors=colour)
    panel.set_ylim(len(run.tasks) + 0.6, 0.4)
    panel.set_yticks(range(1, len(run.tasks) + 1))
    panel.tick_params(axis="y", length=0, labelsize=7)
    panel.set_ylabel("task")


def _colour(span: Span) -> str:
    match span.state:
        case State.WAITING:
            return _WAITING_COLOUR
        case State.READY:
            return PALE
        case State.COMPUTING:
            return COLOURS[(span.processor or 0) % len(COLOURS)]


_WAITING_COLOUR = "#8b929c"


def _explain_colours(panel: Axes, findings: MultiprogrammingFindings) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415 (slow; imported by now)

    spans = [span for run in findings.runs for task in run.tasks for span in task]
    processors = sorted({span.processor for span in spans if span.processor is not None})
    named = {f"computing on processor {number}": number for number in processors[: len(COLOURS)]}
    keys: list[Artist] = [
        Patch(color=COLOURS[number % len(COLOURS)], label=name) for name, number in named.items()
    ]
    keys += [
        Patch(color=PALE, label="ready, held up"),
        Patch(color=_WAITING_COLOUR, label="waiting"),
    ]
    legend(panel, keys)
