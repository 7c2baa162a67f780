from __future__ import annotations

import io

import pytest

from fleetrun.output import Writer
from fleetrun.output.compare_table import write_compare_table
from fleetrun.runs import Run

SEQUENTIAL = Run(
    mode="sequential",
    forks=1,
    workers=0,
    wall_seconds=8.294,
    cpu_seconds=0.09,
    speedup=1.0,
    peak_overlap=1,
    ok=16,
    not_ok=0,
    exit_code=0,
)
PROCESSES = Run(
    mode="processes",
    forks=4,
    workers=4,
    wall_seconds=2.62,
    cpu_seconds=None,
    speedup=None,
    peak_overlap=4,
    ok=14,
    not_ok=2,
    exit_code=4,
    problem="lab3: failed in run: exit status 1",
)


def table(*runs: Run, is_terminal: bool = False, coloured: bool = False) -> str:
    out = io.BytesIO()
    write_compare_table(runs, Writer(file=out, is_terminal=is_terminal, coloured=coloured))
    return out.getvalue().decode()


def test_a_pipe_gets_plain_columns_and_a_dash_for_what_is_not_known() -> None:
    assert table(SEQUENTIAL, PROCESSES).splitlines() == [
        "mode        forks  workers  wall s  speed-up  CPU s  hosts at once  ok  not ok",
        "sequential      1        0    8.29      1.0x   0.09              1  16       0",
        "processes       4        4    2.62         –      –              4  14       2",  # noqa: RUF001 (the dash)
    ]


def test_a_terminal_gets_the_same_cells_in_eighty_columns() -> None:
    plain = table(SEQUENTIAL, PROCESSES).splitlines()
    drawn = table(SEQUENTIAL, PROCESSES, is_terminal=True).splitlines()

    assert [line.split() for line in drawn if line.strip()][-2:] == [
        line.split() for line in plain[1:]
    ]
    assert max(map(len, drawn)) <= 80


def test_a_terminal_that_is_narrow_still_gets_every_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = table(SEQUENTIAL, is_terminal=True)

    monkeypatch.setenv("COLUMNS", "20")

    assert table(SEQUENTIAL, is_terminal=True) == wide


def test_a_run_that_is_not_comparable_is_red_where_colours_are_wanted() -> None:
    _, row = table(SEQUENTIAL, PROCESSES, is_terminal=True, coloured=True).rstrip().rsplit("\n", 1)

    assert "\x1b[31m14" in row.replace(" ", "")
    assert "\x1b[31m" not in table(SEQUENTIAL, is_terminal=True, coloured=True)
    assert "\x1b" not in table(SEQUENTIAL, PROCESSES, is_terminal=True, coloured=False)


def test_without_a_run_there_is_no_table() -> None:
    assert not table()
    assert not table(is_terminal=True)
