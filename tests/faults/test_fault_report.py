"""The page on what was broken on purpose says what the tests say."""

from __future__ import annotations

import re

import report

DONE = set(range(1, 69))
"""The rows of this suite: all of them."""


def test_the_page_is_what_the_tests_say() -> None:
    written = report.PAGE.read_text(encoding="utf-8")
    assert written == report.page_in_new_process(), "run: python tests/faults/report.py"


def test_no_row_is_missing() -> None:
    numbers = re.findall(r"^\| (\d+) \|", report.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(map(int, numbers)) == DONE
