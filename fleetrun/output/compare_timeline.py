"""A comparison as timelines, for a terminal: a lane a worker, a bar a host, coloured by phase.

threads, 16 at once, 0.55 s
  thread 1  cckkkkkaaass#########################
  thread 2  cckkkkkkaaass########################
  c connect k kex a auth s session # run

Each run has a scale of its own, so that a short one shows its phases too. On a terminal with
colours a cell is a block in the colour of its phase, elsewhere its letter.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from fleetrun.output.lanes import Lane, lanes, phase_at
from fleetrun.output.phase_looks import LOOKS
from fleetrun.output.writer import Writer
from fleetrun.runs import Run, name_among

_MOST_LANES = 16
"""More lanes of a run than this are counted, not drawn."""
_INDENT = "  "
_BLOCK = "█"

Piece = tuple[str, str | None]
"""Text, and the phase that it stands for; None for other text."""


def write_compare_timeline(runs: Sequence[Run], out: Writer, *, columns: int) -> None:
    """Write the timelines of the runs' typical rounds, so wide.

    Raises `OSError` when it cannot be written.
    """
    blocks = [_timeline(run, runs, columns) for run in runs]
    lines = [line for block in blocks for line in block]
    drawn = {phase for line in lines for _, phase in line}
    phases = [phase for phase in LOOKS if phase in drawn]
    lines.append([(_INDENT, None), *_legend(phases, coloured=out.coloured)])
    out.write((_drawn(lines) if out.coloured else _plain(lines)).encode())


def height(runs: Sequence[Run]) -> int:
    """Return how many lines the timelines of the runs take."""
    return 1 + sum(1 + min(_MOST_LANES + 1, len(lanes(run))) for run in runs)


def _timeline(run: Run, runs: Sequence[Run], columns: int) -> Iterator[list[Piece]]:
    yield [
        (f"{name_among(run, runs)}, {run.width} at once, {run.typical.wall_seconds:.2f} s", None)
    ]
    found = lanes(run)
    shown = found[:_MOST_LANES]
    wide = max((len(lane.name) for lane in shown), default=0)
    room = max(10, columns - wide - 2 * len(_INDENT) - 1)
    for lane in shown:
        label = f"{_INDENT}{lane.name:<{wide}}{_INDENT}"
        yield [(label, None), *_bar(lane, run.typical.wall_seconds, room)]
    if len(found) > len(shown):
        yield [(f"{_INDENT}and {len(found) - len(shown)} more", None)]


def _bar(lane: Lane, wall_seconds: float, room: int) -> Iterator[Piece]:
    """Yield a cell for each column: the phase in its middle, or nothing."""
    for column in range(room):
        phase = phase_at(lane.spans, (column + 0.5) * wall_seconds / room)
        yield (" ", None) if phase is None else (LOOKS[phase].letter, phase)


def _legend(phases: Sequence[str], *, coloured: bool) -> Iterator[Piece]:
    for phase in phases:
        letter = LOOKS[phase].letter
        yield (letter, phase) if coloured else (letter, None)
        yield (f" {phase} ", None)


def _plain(lines: Sequence[Sequence[Piece]]) -> str:
    return "".join(f"{''.join(text for text, _ in line).rstrip()}\n" for line in lines)


def _drawn(lines: Sequence[Sequence[Piece]]) -> str:
    from rich.console import Console  # noqa: PLC0415 (rich costs 50 ms, and pipes need none of it)
    from rich.text import Text  # noqa: PLC0415

    text = io.StringIO()
    console = Console(file=text, width=10_000, color_system="standard", force_terminal=True)
    for line in lines:
        drawn = Text()
        for piece, phase in line:
            if phase is None:
                drawn.append(piece)
            else:
                drawn.append(_BLOCK, style=LOOKS[phase].style)
        drawn.rstrip()
        console.print(drawn, soft_wrap=True)
    return text.getvalue()
