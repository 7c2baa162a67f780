"""A comparison as tables, for people: a row a run, and under them what the figures say.

mode        forks  wall s    min–max  speed-up  efficiency  hosts at once  mean  cores busy  ok …
sequential      1    8.29  8.27–8.31      1.0x       100 %              1   1.0        0.01  16 …
threads        16    0.55  0.54–0.57     15.2x        95 %             16  15.1        0.11  16 …

Threads is the fastest: 0.55 s, 15.2 times as fast as sequential. …
"""  # noqa: RUF002 (the dash of a range)

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from fleetrun.output.compare_columns import Column, columns
from fleetrun.output.escape import visible
from fleetrun.output.writer import Writer
from fleetrun.runs import Compared, Run

_GAP = "  "
_WIDE = 250
"""Columns: more than a table needs, so that rich never shortens a number; a terminal wraps it."""
_PARAGRAPH = 80


def write_compare_table(compared: Compared, out: Writer) -> None:
    """Write the tables: drawn for a terminal, in plain aligned columns for everything else.

    What is not known is a dash. Without a run, nothing is written. Raises
    `OSError` when it cannot be written.
    """
    if not compared.runs:
        return
    tables = [
        _drawn(compared.runs, each, coloured=out.coloured)
        if out.is_terminal
        else _plain(compared.runs, each)
        for each in columns(compared.runs)
    ]
    said = " ".join(compared.explanation)
    said = textwrap.fill(visible(said) if out.is_terminal else said, _PARAGRAPH)
    out.write("\n".join([*tables, f"{said}\n"] if said else tables).encode())


def _plain(runs: Sequence[Run], columns: Sequence[Column]) -> str:
    rows = [[column.one_line for column in columns], *(_cells(run, columns) for run in runs)]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return "".join(f"{_line(row, columns, widths)}\n" for row in rows)


def _line(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = zip(columns, row, widths, strict=True)
    return _GAP.join(
        cell.ljust(width) if column.is_text else cell.rjust(width) for column, cell, width in cells
    )


def _drawn(runs: Sequence[Run], columns: Sequence[Column], *, coloured: bool) -> str:
    from rich import box  # noqa: PLC0415 (rich costs 50 ms, and pipes need none of it)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, header_style="bold")
    for column in columns:
        # A long title takes two lines, and a gap one column, so that the table fits into 80.
        title = "\n".join(column.lines)
        table.add_column(title, justify="left" if column.is_text else "right", no_wrap=True)
    for run in runs:
        table.add_row(*_cells(run, columns), style=None if run.comparable else "red")
    text = io.StringIO()
    Console(file=text, width=_WIDE, color_system="standard" if coloured else None).print(table)
    return text.getvalue()


def _cells(run: Run, columns: Sequence[Column]) -> list[str]:
    return [column.cell(run) for column in columns]
