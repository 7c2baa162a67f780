from __future__ import annotations

import dataclasses
import io

import pytest
from made_runs import PEAKS, compared, made_run

from fleetrun.output import Writer
from fleetrun.output.compare_table import write_compare_table
from fleetrun.runs import Compared, Run

SEQUENTIAL = made_run("sequential", [8.294, 8.3, 8.2], forks=1, speedup=1.0, peaks=PEAKS)
PROCESSES = made_run(
    "processes", [2.62], forks=4, workers=4, cpu_s=None, not_ok=2, speedup=None, host_s=0.3
)
PLAIN = """\
mode        forks  wall s    min–max  speed-up  efficiency  hosts at once  mean  cores busy  ok  not ok
sequential      1    8.29  8.20–8.30      1.0x        100%              1   1.0        0.01  16       0
processes       4    2.62          –         –           –              4   1.8           –  14       2

mode        forks  workers  user s  system s  gave way  pushed off  threads  processes  files  MB
sequential      1        0    0.10      0.00       500           7       17          1     27  36
processes       4        4       –         –         –           –        –          –      –   –

mode        p50 s  p95 s  p99 s    run
sequential  0.500  0.500  0.500  0.500
processes   0.300  0.300  0.300  0.300
"""  # noqa: E501, RUF001 (a wide table, with dashes)


def tables(what: Compared, *, is_terminal: bool = False, coloured: bool = False) -> str:
    out = io.BytesIO()
    write_compare_table(what, Writer(file=out, is_terminal=is_terminal, coloured=coloured))
    return out.getvalue().decode()


def table(*runs: Run, is_terminal: bool = False, coloured: bool = False) -> str:
    return tables(compared(*runs), is_terminal=is_terminal, coloured=coloured)


def test_a_pipe_gets_plain_columns_and_a_dash_for_what_is_not_known() -> None:
    assert table(SEQUENTIAL, PROCESSES) == PLAIN


def test_a_terminal_gets_the_same_cells_in_eighty_columns() -> None:
    plain = table(SEQUENTIAL, PROCESSES).splitlines()
    drawn = table(SEQUENTIAL, PROCESSES, is_terminal=True).splitlines()

    def rows(lines: list[str]) -> list[list[str]]:
        return [line.split() for line in lines if line.strip().startswith(("sequ", "proc"))]

    assert len(rows(drawn)) == 6
    assert rows(drawn) == rows(plain)
    assert max(map(len, drawn)) <= 80


def test_a_session_with_all_its_phases_still_fits_into_eighty_columns() -> None:
    phases = ("start", "connect", "banner", "kex", "auth", "session", "exec", "run")
    run = made_run("sequential", [9.0], forks=100, hosts=100)
    spans = tuple(
        dataclasses.replace(span, phases=tuple((phase, 1.0) for phase in phases))
        for span in run.rounds[0].spans
    )
    full = dataclasses.replace(run, rounds=(dataclasses.replace(run.rounds[0], spans=spans),))

    drawn = table(full, is_terminal=True).splitlines()

    assert max(map(len, drawn)) <= 80
    assert "1.000" in drawn[-1]


def test_a_phase_in_which_no_time_is_spent_has_no_column() -> None:
    assert "kex" not in table(SEQUENTIAL)


def test_a_terminal_that_is_narrow_still_gets_every_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = table(SEQUENTIAL, is_terminal=True)

    monkeypatch.setenv("COLUMNS", "20")

    assert table(SEQUENTIAL, is_terminal=True) == wide


def test_a_run_that_is_not_comparable_is_red_where_colours_are_wanted() -> None:
    drawn = table(SEQUENTIAL, PROCESSES, is_terminal=True, coloured=True)

    assert "\x1b[31mprocesses" in drawn
    assert "\x1b[31msequential" not in drawn
    assert "\x1b" not in table(SEQUENTIAL, PROCESSES, is_terminal=True, coloured=False)


def test_the_explanation_stands_under_the_tables() -> None:
    sentences = ("Fastest: threads, 0.55 s.", "96% of each session is waiting. " * 4)

    shown = tables(compared(SEQUENTIAL, explanation=sentences))

    *_, paragraph = shown.split("\n\n")
    assert " ".join(paragraph.split()) == " ".join(" ".join(sentences).split())
    assert max(map(len, paragraph.splitlines())) <= 80


def test_a_terminal_obeys_no_word_of_a_host() -> None:
    evil = compared(SEQUENTIAL, explanation=("not ok: \x1b]0;gotcha\x07",))

    assert "\x1b" not in tables(evil, is_terminal=True)


def test_without_a_run_there_is_no_table() -> None:
    assert not table()
    assert not table(is_terminal=True)
