"""The findings of the experiments as tables, JSON and figures."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from fleetrun.findings.calls import CallFindings, CallRun
from fleetrun.findings.multiprogramming import (
    CounterRun,
    MultiprogrammingFindings,
    Span,
    State,
    TaskRun,
)
from fleetrun.findings.reading import ReadFindings, ReadRun
from fleetrun.findings.spawn import SpawnFindings, WorkerCost
from fleetrun.output import Writer
from fleetrun.output.experiments import calls, multiprogramming, reading, spawn
from fleetrun.output.experiments.document import write_findings_json
from fleetrun.output.experiments.multiprogramming import line_of

SAYS = "What the figures show, which is long enough that it has to be wrapped. " * 2

SPANS = (
    Span(state=State.WAITING, begin_s=0.0, end_s=0.3),
    Span(state=State.READY, begin_s=0.3, end_s=0.4),
    Span(state=State.COMPUTING, begin_s=0.4, end_s=0.6, processor=0),
    Span(state=State.COMPUTING, begin_s=0.6, end_s=1.0, processor=11),
)


def task_run(workers: str) -> TaskRun:
    return TaskRun(
        workers=workers,
        processors=2,
        tasks=(SPANS,),
        wall_seconds=1.0,
        cpu_seconds=0.6,
        waiting_at_once=1,
        gave_up=4,
        pushed_off=2,
        moved=None,
    )


FOUND: dict[str, Any] = {
    "spawn": SpawnFindings(
        costs=(
            WorkerCost(kind="thread", paramiko=False, made=20, create_seconds=5e-5,
                       destroy_seconds=2e-5, kept=20, pss_bytes=17_000.0, rss_bytes=17_000.0,
                       round_trip_seconds=8e-6),
            WorkerCost(kind="fork", paramiko=False, problem="this system has none"),
        ),
        says=SAYS,
    ),
    "multiprogramming": MultiprogrammingFindings(
        runs=(task_run("one by one"), task_run("processes")),
        counters=(
            CounterRun(workers="threads", memory="shared", step="+= 1", lock=False,
                       expected=40, counted=39),
        ),
        says=SAYS,
    ),
    "calls": CallFindings(
        hosts=8,
        command="uptime",
        forks=64,
        runs=tuple(
            CallRun(style=style, mode=mode, wall_seconds=0.5, held_seconds=0.0, ticks=90, looks=0,
                    wake_ups=None, cpu_seconds=0.01, delay_p50_seconds=0.001,
                    delay_max_seconds=0.002, peak_overlap=8, ok=8, not_ok=0, exit_code=0)
            for mode in ("threads", "processes") for style in ("wait", "callbacks")
        ),
        says=SAYS,
    ),
    "io": ReadFindings(
        runs=(
            ReadRun(model="epoll", source="sessions", count=10, calls={"recv": 60, "poll": 50},
                    in_vain=0, wake_ups=50, cpu_seconds=0.01, first_p50_seconds=0.2,
                    first_max_seconds=0.6, last_max_seconds=0.9, bytes_read=5000),
            ReadRun(model="gevent", source="sessions", count=10, problem="it stays out"),
            ReadRun(model="epoll", source="streams", count=100, calls={"recv": 600}, in_vain=0,
                    wake_ups=None, cpu_seconds=0.01),
        ),
        says=SAYS,
    ),
}  # fmt: skip
SHOWN: dict[str, Any] = {
    "spawn": spawn, "multiprogramming": multiprogramming, "calls": calls, "io": reading,
}  # fmt: skip
each = pytest.mark.parametrize("name", FOUND)


def written(write: Callable[[Writer], None], **kind: bool) -> str:
    file = io.BytesIO()
    write(Writer(file=file, **kind))
    return file.getvalue().decode()


def table(name: str, **kind: bool) -> str:
    return written(lambda out: SHOWN[name].write_table(FOUND[name], out), **kind)


@each
def test_the_table_is_plain_and_ends_with_what_it_shows(name: str) -> None:
    text = table(name)

    assert text.isprintable() or "\x1b" not in text
    assert " ".join(text.split()).endswith(" ".join(SAYS.split()))
    assert max(map(len, text.splitlines())) <= 110


@each
def test_a_terminal_gets_it_drawn(name: str) -> None:
    assert "─" in table(name, is_terminal=True)
    assert "\x1b[1m" in table(name, is_terminal=True, coloured=True)


def test_the_columns_stand_under_their_titles() -> None:
    title, row, missing, why = table("spawn").splitlines()[:4]

    assert title.split("  ")[0] == "kind"
    assert re.split(r"\s+", row) == ["thread", "no", "0.050", "0.020", "0.017", "0.017", "8", "20"]
    assert missing.split() == ["fork", "no", *["–"] * 5, "0"]  # noqa: RUF001 (what is shown)
    assert why == "fork: this system has none"
    assert [len(line) for line in (title, row, missing)] == [len(title)] * 3


def test_a_timeline_has_a_character_for_what_filled_most_of_its_step() -> None:
    assert line_of(SPANS, 0.1) == "...-00bbbb"
    assert line_of(SPANS, 0.5) == ".b"


def test_a_processor_that_is_unknown_is_drawn_all_the_same() -> None:
    spans = (Span(state=State.COMPUTING, begin_s=0.0, end_s=0.2),)

    assert line_of(spans, 0.1) == "##"


@each
def test_the_document_has_every_field_and_null_for_what_is_not_known(name: str) -> None:
    document = json.loads(written(lambda out: write_findings_json(name, FOUND[name], out)))

    assert document.pop("experiment") == name
    assert list(document) == [field.name for field in dataclasses.fields(FOUND[name])]
    assert document["says"] == SAYS
    assert "null" in json.dumps(document)


@pytest.mark.usefixtures("open_fonts")
@each
def test_the_figure_is_svg_that_names_its_axes_and_asks_nobody_for_anything(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "figure.svg"
    SHOWN[name].draw(FOUND[name], path)
    text = path.read_text()

    words = " ".join(ET.fromstring(text).itertext())  # noqa: S314 (written by us, just now)
    for word in AXES[name]:
        assert word in words
    assert set(re.findall(r"(?:href|src)=\"(?!#)([^\"]*)", text)) == set()


AXES = {
    "spawn": [
        "made and ended, ms (log scale)",
        "memory each, MB (log scale)",
        "a job and back, µs",
    ],
    "multiprogramming": ["seconds since the first task began", "task", "waiting"],
    "calls": ["wall time, s", "own work done, ticks of 5 ms", "processes"],
    "io": ["system calls (log scale)", "processor time, ms (log scale)", "wake-ups"],
}


@pytest.mark.usefixtures("open_fonts")
@each
def test_the_same_findings_give_the_same_figure(name: str, tmp_path: Path) -> None:
    for file in ("one.svg", "two.svg"):
        SHOWN[name].draw(FOUND[name], tmp_path / file)

    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
