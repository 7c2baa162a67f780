from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from made_runs import PEAKS, compared, made_run

from fleetrun.output.report import compare_page
from fleetrun.runs import Compared

SEQUENTIAL = made_run("sequential", [8.29, 8.3, 8.2], forks=1, speedup=1.0, peaks=PEAKS)
THREADS = made_run("threads", [0.55, 0.54, 0.56], speedup=15.0)
PROCESSES = made_run("processes", [2.6], forks=4, workers=4, cpu_s=None, not_ok=1)
_EMPTY = {"meta", "input"}


class Reading(HTMLParser):
    """Reads a page: its elements, their attributes, the text outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.text.append(data)


def read(what: Compared) -> Reading:
    reading = Reading()
    reading.feed(compare_page(what))
    assert reading.open == []
    return reading


def test_the_page_says_what_was_done_and_what_came_of_it() -> None:
    what = compared(
        SEQUENTIAL, THREADS, explanation=("Fastest: threads, 0.55 s.",), flaws=("it was busy",)
    )

    text = " ".join(read(what).text)

    for said in (
        "sleep 0.2",
        "16 hosts, 3 rounds",
        "Fastest: threads, 0.55 s.",
        "it was busy",
        "fleetrun compare --lab 16 'sleep 0.2'",
        "Linux-6.1",
        "paramiko",
        "5.1.0",
        "15.0x",
    ):
        assert said in text


def test_every_run_has_a_row_in_each_table_and_a_timeline_with_all_its_hosts() -> None:
    reading = read(compared(SEQUENTIAL, THREADS, PROCESSES))

    assert reading.text.count("sequential") == 3 + 3  # a row in each table, a bar in each chart
    assert reading.text.count("threads") == 3 + 3 + 1  # and the title of a column
    kinds = [attributes.get("class") for tag, attributes in reading.found if tag in {"svg", "g"}]
    assert kinds.count("timeline") == 3
    assert kinds.count("host") == 3 * 16


def test_the_fastest_stands_out_and_so_does_what_cannot_be_compared() -> None:
    rows = [
        attributes["class"]
        for tag, attributes in read(compared(SEQUENTIAL, THREADS, PROCESSES)).found
        if tag == "tr" and "class" in attributes
    ]

    assert rows == ["", "best", "broken"] * 3


def test_the_page_fetches_nothing() -> None:
    page = compare_page(compared(SEQUENTIAL, THREADS))

    assert "default-src 'none'" in page
    assert not re.search(r"""https?://|src=|href=|@import|url\(""", page)


def test_names_and_commands_are_text_whatever_is_in_them() -> None:
    evil = "</script><script>alert(1)</script>\"'&"
    run = made_run("threads", [0.5], hosts=1)
    (span,) = run.rounds[0].spans
    each = dataclasses.replace(run.rounds[0], spans=(dataclasses.replace(span, host=evil),))
    what = compared(
        dataclasses.replace(run, rounds=(each,)),
        work=evil,
        explanation=(evil,),
        flaws=(evil,),
    )

    reading = read(what)

    assert [tag for tag, _ in reading.found].count("script") == 1
    assert "".join(reading.text).count(evil) >= 4


def test_one_round_has_no_whisker_and_the_unknown_is_a_dash() -> None:
    page = compare_page(compared(PROCESSES))

    assert 'class="whisker"' not in page
    assert "–" in page  # noqa: RUF001 (the dash)
    assert 'class="whisker"' in compare_page(compared(THREADS))


def test_lanes_beyond_many_are_counted() -> None:
    text = " ".join(read(compared(made_run("greenlets", [1], forks=300, hosts=300))).text)

    assert "and 172 more lanes" in text


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to parse JavaScript")
def test_the_script_is_javascript() -> None:
    page = compare_page(compared(THREADS))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)

    checked = subprocess.run(
        ["node", "-e", f"new Function({json.dumps(script)})"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert checked.returncode == 0, checked.stderr
