"""Run the experiments and put what they print and draw into their pages.

    python docs/make_experiments.py [calls] [io] [spawn] [multiprogramming]

Without a name all of them, one after another; two minutes on a machine with nothing else to do,
which is the machine to run it on. Wants the extras `lab` and `report`.

    fleetrun compare NAME --figure docs/images/compare-NAME.svg
         └─► docs/concurrency/experiments/NAME.md, in the block that is marked
"""  # noqa: INP001 (a script beside the pages, no package)

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent
PAGES = DOCS / "concurrency" / "experiments"
NAMES = ("calls", "io", "spawn", "multiprogramming")

_BLOCK = re.compile(
    r"(<!-- written by docs/make_experiments.py -->\n\n```text\n).*?(^```$)",
    re.DOTALL | re.MULTILINE,
)


def figure(name: str) -> Path:
    """Return where the experiment's figure is."""
    return DOCS / "images" / f"compare-{name}.svg"


def run(name: str) -> str:
    """Run the experiment, which draws its figure, and return what it prints."""
    program = Path(sys.executable).with_name("fleetrun")
    done = subprocess.run(
        [program, "compare", name, "--figure", figure(name)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def put(printed: str, page: Path) -> None:
    """Replace the marked block of the page."""
    text = page.read_text(encoding="utf-8")
    text, replaced = _BLOCK.subn(lambda found: f"{found[1]}{printed}{found[2]}", text)
    assert replaced == 1, f"{page} has {replaced} marked blocks"  # noqa: S101 (its author reads it)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for experiment in sys.argv[1:] or NAMES:
        put(run(experiment), PAGES / f"{experiment}.md")
