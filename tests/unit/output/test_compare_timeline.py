from __future__ import annotations

import dataclasses
import io
import re

import pytest
from made_runs import made_run, span

from fleetrun.output import Writer
from fleetrun.output.compare_timeline import height, write_compare_timeline
from fleetrun.output.lanes import lanes, phase_at
from fleetrun.runs import Run, Span

SESSION = (("kex", 1.0), ("auth", 2.0), ("run", 3.0))


def run_of(mode: str, *spans: Span, workers: int = 0, wall: float = 10.0) -> Run:
    run = made_run(mode, [wall], forks=len(spans), hosts=len(spans), workers=workers)
    return dataclasses.replace(run, rounds=(dataclasses.replace(run.rounds[0], spans=spans),))


def drawn(*runs: Run, columns: int = 80, coloured: bool = False) -> list[str]:
    out = io.BytesIO()
    write_compare_timeline(runs, Writer(file=out, coloured=coloured), columns=columns)
    return out.getvalue().decode().splitlines()


# --- lanes ---------------------------------------------------------------------------------------


def carried(process: int, thread: int, begin_s: float = 0.0) -> Span:
    host = f"h{process}.{thread}.{begin_s:g}"
    return span(host, begin_s, 1.0, process=process, thread=f"fleetrun-{thread}")


@pytest.mark.parametrize(
    ("mode", "workers", "spans", "names"),
    [
        pytest.param(
            "sequential",
            0,
            [carried(9, 1, 0.0), carried(9, 1, 1.0)],
            {"thread 1": ["h9.1.0", "h9.1.1"]},
            id="one thread, two hosts",
        ),
        pytest.param(
            "threads",
            0,
            [carried(9, 10), carried(9, 2), carried(9, 2, 2.0)],
            {"thread 2": ["h9.2.0", "h9.2.2"], "thread 10": ["h9.10.0"]},
            id="threads by number",
        ),
        pytest.param(
            "greenlets",
            1,
            [carried(9, 1), carried(9, 2)],
            {"greenlet 1": ["h9.1.0"], "greenlet 2": ["h9.2.0"]},
            id="greenlets of one worker",
        ),
        pytest.param(
            "processes",
            2,
            [carried(70, 1, 0.5), carried(60, 1, 0.6)],
            {"worker 1": ["h70.1.0.5"], "worker 2": ["h60.1.0.6"]},
            id="workers in the order in which they began",
        ),
        pytest.param(
            "hybrid",
            2,
            [carried(70, 1), carried(70, 2), carried(60, 1, 0.1)],
            {"worker 1.1": ["h70.1.0"], "worker 1.2": ["h70.2.0"], "worker 2.1": ["h60.1.0.1"]},
            id="greenlets of several workers",
        ),
    ],
)
def test_a_lane_is_who_worked_with_the_hosts_in_their_order(
    mode: str, workers: int, spans: list[Span], names: dict[str, list[str]]
) -> None:
    found = lanes(run_of(mode, *spans, workers=workers))

    assert {lane.name: [each.host for each in lane.spans] for lane in found} == names


@pytest.mark.parametrize(
    ("at_s", "phase"),
    [
        (0.9, None),
        (1.0, "kex"),
        (1.99, "kex"),
        (2.0, "auth"),
        (4.5, "run"),
        (6.99, "run"),
        (7.0, None),
        (8.0, "kex"),
    ],
)
def test_each_moment_of_a_lane_has_the_phase_of_its_host_or_none(
    at_s: float, phase: str | None
) -> None:
    spans = [span("a", 1.0, 6.0, phases=SESSION), span("b", 8.0, 6.0, phases=SESSION)]

    assert phase_at(spans, at_s) == phase


def test_what_the_clock_left_over_at_the_end_is_the_last_phase() -> None:
    assert phase_at([span("a", 0.0, 1.0, phases=(("run", 0.9),))], 0.95) == "run"
    assert phase_at([span("a", 0.0, 1.0, phases=())], 0.5) is None


# --- drawing -------------------------------------------------------------------------------------


def test_a_bar_has_the_letters_of_its_phases_in_proportion() -> None:
    spans = [
        span("a", 0.0, 6.0, phases=SESSION),
        span("b", 6.0, 3.0, phases=(("auth", 1.0), ("run", 2.0)), thread="fleetrun-2"),
    ]

    # Two for each indent, eight for the name, one to spare: so 20 are left for 10 seconds.
    assert drawn(run_of("threads", *spans), columns=33) == [
        "threads, 2 at once, 10.00 s",
        "  thread 1  kkaaaa######",
        "  thread 2              aa####",
        "  k kex a auth # run",
    ]


def test_each_run_has_its_own_scale() -> None:
    one, other = (
        run_of(mode, span("a", 0.0, wall, phases=(("run", wall),)), wall=wall)
        for mode, wall in (("sequential", 100.0), ("threads", 1.0))
    )

    bars = [line for line in drawn(one, other) if "thread 1" in line]

    assert bars[0] == bars[1]
    assert bars[0].count("#") == 80 - 13


def test_lanes_beyond_the_first_sixteen_are_counted() -> None:
    run = made_run("threads", [0.5], forks=40, hosts=40)

    lines = drawn(run)

    assert len([line for line in lines if "thread" in line]) == 1 + 16
    assert lines[-2] == "  and 24 more"


def test_the_height_is_what_is_drawn() -> None:
    runs = [
        made_run("sequential", [0.5], forks=1, hosts=40),
        made_run("threads", [0.5], forks=40, hosts=40),
        made_run("hybrid", [0.5], forks=4, hosts=40, workers=2),
    ]

    assert height(runs) == len(drawn(*runs))


def test_colours_stand_for_phases_where_they_are_wanted_and_letters_where_not() -> None:
    run = run_of("threads", span("a", 0.0, 6.0, phases=SESSION), wall=6.0)

    coloured = drawn(run, coloured=True)

    assert re.sub(r"\x1b\[[\d;]*m", "", coloured[1]).split("  ")[-1] == "█" * 67
    assert "\x1b[35m" in coloured[1]
    assert "\x1b" not in "".join(drawn(run))


def test_no_line_is_wider_than_the_terminal() -> None:
    run = made_run("hybrid", [0.5], forks=16, workers=2)

    assert max(map(len, drawn(run, columns=60))) <= 60
