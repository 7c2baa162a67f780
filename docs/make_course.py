"""Do what the chapters of the course say, and write what that prints and draws into them.

    python docs/make_course.py [01-process] [02-multiprogramming] ...

Without a name all of them, one after another; some minutes on a machine with nothing else to do,
which is the machine to run it on. Wants the extras `lab` and `report`.

    docs/concurrency/NN-NAME.md ─► a reader types its commands
         ├─► its blocks of output, and those of docs/zh/concurrency/NN-NAME.md
         └─► the figures that the commands draw: docs/images/course/NN-FIGURE.svg
"""  # noqa: INP001 (a script beside the pages, no package)

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent / "tests")]

from make_pictures import practice_fleet  # noqa: E402 (stands beside this script)
from pages import LAB_INVENTORY, LEFT_OUT, OF_ONE_RUN, Block, Reader, blocks  # noqa: E402

CHAPTERS = DOCS / "concurrency"
TRANSLATED = DOCS / "zh" / "concurrency"
FIGURES = DOCS / "images" / "course"

_SHOWN = ("output", OF_ONE_RUN)
_BLOCK = re.compile(
    rf"(<!-- (?:{'|'.join(_SHOWN)}) -->\n\n?```\w+\n).*?(^```$)",
    re.DOTALL | re.MULTILINE,
)


class Scribe(Reader):
    """A reader who takes down what is to be shown, block by block."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.taken_down: list[str] = []

    def look_at(self, shown: Block) -> None:
        """Take down all that was printed, or line by line what the block shows of it."""
        if shown.marker == OF_ONE_RUN:
            self.taken_down.append(self.printed)
        else:
            super().look_at(shown)
            lines = map(self._as_printed, shown.text.splitlines())
            self.taken_down.append("".join(f"{line}\n" for line in lines))

    def _as_printed(self, shown: str) -> str:
        """Return the line with this run's figures; as it is when it is no line of one run."""
        if LEFT_OUT in shown or LAB_INVENTORY.search(shown):
            return shown
        return self.printed_like(shown) or shown


def make(chapter: Path) -> None:
    """Do what the chapter says; write what came of it into the chapter and its translation."""
    with tempfile.TemporaryDirectory() as name, practice_fleet(Path(name)):
        scribe = Scribe(Path(name))
        scribe.follow(blocks(chapter))
        for page in (chapter, TRANSLATED / chapter.name):
            if page.exists():
                put(scribe.taken_down, page)
        for figure in Path(name).glob("*.svg"):
            shutil.copy(figure, FIGURES / f"{chapter.stem[:2]}-{figure.name}")


def put(printed: list[str], page: Path) -> None:
    """Replace the texts of the page's blocks that show output."""
    text, texts = page.read_text(encoding="utf-8"), iter(printed)
    text, replaced = _BLOCK.subn(lambda found: f"{found[1]}{next(texts)}{found[2]}", text)
    assert replaced == len(printed), f"{page} has {replaced} blocks"  # noqa: S101 (its author reads it)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for chapter in sorted(CHAPTERS.glob("[0-9]*.md")):
        if not sys.argv[1:] or chapter.stem in sys.argv[1:]:
            make(chapter)
