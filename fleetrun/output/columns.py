"""Rows of figures for people: drawn on a terminal, in plain aligned columns for all else.

kind    paramiko  create ms  destroy ms
thread        no       0.05        0.02
fork          no       0.90        0.31
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from fleetrun.output.writer import Writer

Row = TypeVar("Row")

UNKNOWN = "–"  # noqa: RUF001 (a dash where a number would stand)
_GAP = "  "
_WIDE = 250
"""Columns: more than a table needs, so that rich never shortens a number; a terminal wraps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Row]):
    """One column: its title, what it shows of a row, and whether that is text.

    Text stands at the left, numbers at the right.
    """

    title: str
    cell: Callable[[Row], str]
    is_text: bool = False


def write_columns(columns: Sequence[Column[Row]], rows: Sequence[Row], out: Writer) -> None:
    """Write the rows; nothing without any. Raises `OSError` when it cannot be written."""
    if rows:
        text = _drawn(columns, rows, out) if out.is_terminal else _plain(columns, rows)
        out.write(text.encode())


def known(value: float | None, form: str, *, scale: float = 1.0) -> str:
    """Return the value times the scale in that format; a dash for None."""
    return UNKNOWN if value is None else form.format(value * scale)


def _plain(columns: Sequence[Column[Row]], rows: Sequence[Row]) -> str:
    titles = [column.title for column in columns]
    cells = [titles, *([column.cell(row) for column in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(f"{_line(columns, line, widths)}\n" for line in cells)


def _line(columns: Sequence[Column[Row]], cells: Sequence[str], widths: Sequence[int]) -> str:
    placed = (
        cell.ljust(width) if column.is_text else cell.rjust(width)
        for column, cell, width in zip(columns, cells, widths, strict=True)
    )
    return _GAP.join(placed).rstrip()


def _drawn(columns: Sequence[Column[Row]], rows: Sequence[Row], out: Writer) -> str:
    from rich import box  # noqa: PLC0415 (rich costs 50 ms, and pipes need none of it)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, header_style="bold")
    for column in columns:
        justify = "left" if column.is_text else "right"
        table.add_column(column.title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(column.cell(row) for column in columns))
    text = io.StringIO()
    Console(file=text, width=_WIDE, color_system="standard" if out.coloured else None).print(table)
    return text.getvalue()
