"""Write the table of docs/reliability.md from the tests: `python tests/faults/report.py`.

Each line is a `fault` marker of a test that pytest collects, so the page cannot claim what no test
looks at. A test compares the two, and fails until this script was run again.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- rows: begin -->", "<!-- rows: end -->"


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Row:
    """One line of the table: a marker, and the test that has it."""

    number: int
    place: int
    case: str
    outcome: str
    test: str


class Collector:
    """A pytest plugin that notes the marked tests, in the order of their files."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for place, item in enumerate(session.items):
            test = item.nodeid.partition("[")[0]
            for marker in item.iter_markers("fault"):
                number, case, outcome = marker.args
                row = Row(number=number, place=place, case=case, outcome=outcome, test=test)
                self.rows.setdefault(test, row)


def collect() -> list[Row]:
    """Return the rows of all tests here, by number."""
    collector = Collector()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main(
            ["--collect-only", "-qq", "-p", "no:cacheprovider", str(HERE)], plugins=[collector]
        )
    if code is not pytest.ExitCode.OK:
        raise SystemExit(said.getvalue())
    return sorted(collector.rows.values())


def page() -> str:
    """Return the page with its table written anew."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = ["| row | what was broken | what fleetrun says | test |", "|---|---|---|---|"]
    lines += [
        f"| {row.number} | {row.case} | {row.outcome} | `{_short(row.test)}` |" for row in collect()
    ]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def _short(test: str) -> str:
    return test.rpartition("::")[2].removeprefix("test_")


def page_in_new_process() -> str:
    """Return the page as a process of its own writes it: pytest collects once a process."""
    command = [sys.executable, str(Path(__file__)), "--print"]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")
