"""The runs of a comparison as a table, for people: a row a mode.

mode        forks  workers  wall s  speed-up  CPU s  hosts at once  ok  not ok
sequential      1        0    8.29      1.0x   0.09              1  16       0
threads        16        0    0.55     15.2x   0.06             16  16       0
processes       4        4    2.62      3.2x   1.14              4  16       0
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleetrun.output.writer import Writer
from fleetrun.runs import Run

_UNKNOWN = "–"  # noqa: RUF001 (a dash where a number would stand)
_GAP = "  "
_WIDE = 250
"""Columns: more than the table needs, so that rich never shortens a number; a terminal wraps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    title: str
    cell: Callable[[Run], str]
    is_text: bool = False


_COLUMNS = (
    _Column(title="mode", cell=lambda run: run.mode, is_text=True),
    _Column(title="forks", cell=lambda run: str(run.forks)),
    _Column(title="workers", cell=lambda run: str(run.workers)),
    _Column(title="wall s", cell=lambda run: f"{run.wall_seconds:.2f}"),
    _Column(title="speed-up", cell=lambda run: _known(run.speedup, "{:.1f}x")),
    _Column(title="CPU s", cell=lambda run: _known(run.cpu_seconds, "{:.2f}")),
    _Column(title="hosts at once", cell=lambda run: str(run.peak_overlap)),
    _Column(title="ok", cell=lambda run: str(run.ok)),
    _Column(title="not ok", cell=lambda run: str(run.not_ok)),
)


def write_compare_table(runs: Sequence[Run], out: Writer) -> None:
    """Write the table: drawn for a terminal, in plain aligned columns for everything else.

    What is not known is a dash. Without a run, nothing is written. Raises
    `OSError` when it cannot be written.
    """
    if not runs:
        return
    out.write((_drawn(runs, out) if out.is_terminal else _plain(runs)).encode())


def _plain(runs: Sequence[Run]) -> str:
    rows = [[column.title for column in _COLUMNS], *map(_cells, runs)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "".join(f"{_line(row, widths)}\n" for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = zip(_COLUMNS, row, widths, strict=True)
    return _GAP.join(
        cell.ljust(width) if column.is_text else cell.rjust(width) for column, cell, width in cells
    )


def _drawn(runs: Sequence[Run], out: Writer) -> str:
    from rich import box  # noqa: PLC0415 (rich costs 50 ms, and pipes need none of it)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    for column in _COLUMNS:
        # A long title takes two lines, so that the table fits into 80 columns.
        title = column.title.replace("at once", "\nat once")
        table.add_column(title, justify="left" if column.is_text else "right", no_wrap=True)
    for run in runs:
        table.add_row(*_cells(run), style=None if run.comparable else "red")
    text = io.StringIO()
    Console(file=text, width=_WIDE, color_system="standard" if out.coloured else None).print(table)
    return text.getvalue()


def _cells(run: Run) -> list[str]:
    return [column.cell(run) for column in _COLUMNS]


def _known(value: float | None, form: str) -> str:
    return _UNKNOWN if value is None else form.format(value)
