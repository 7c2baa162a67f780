"""The documents as their reader meets them: blocks of code, and a reader who types them.

A comment before a block says what it is; the reader does what the comment says:

    <!-- file: NAME -->              save it as NAME
    <!-- runnable -->                type it; it ends with exit code 0
    <!-- runnable: exit 4 -->        type it; it ends with 4
    <!-- runnable: background -->    type it in another terminal, and press Ctrl-C there at the end
    <!-- output -->                  what the block before it printed, in any order
    <!-- output of one run -->       all that it printed once: now it prints rows of the same names
                                     (docs/make_course.py writes them)
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, STDOUT
from types import ModuleType

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md")))

_BLOCK = re.compile(
    r"^(?:<!-- (?P<marker>[^\n]*?) -->\n\n?)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_VARYING = re.compile(r"\d+\.\d+|\d\d:\d\d:\d\d|\d+(?=%)|(?<=\]:)\d+")
"""Seconds, times of day, percentages, ports: what differs from run to run."""
LAB_INVENTORY = re.compile(r"/\S*/fleetrun-lab-\w+/hosts\.yaml")
LEFT_OUT = "…"
_SETTINGS = {"FLEETRUN_INVENTORY", "ANSIBLE_INVENTORY", "CLICOLOR_FORCE", "SSH_AUTH_SOCK"}
_PATIENCE_S = 120.0
_BACKGROUND = "runnable: background"
OF_ONE_RUN = "output of one run"
_NUMBER = re.compile(r"\d+")
_CELLS = re.compile(r" {2,}")
_WORDY = re.compile(r"[^\W\d_]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: where it begins, under which heading, its marker ("" without one)."""

    page: Path
    line: int
    section: str
    marker: str
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, for the message of a test that fails."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def exit_code(self) -> int | None:
        """What it has to end with; None when it is not to be run."""
        found = re.fullmatch(r"runnable(?:: exit (\d+))?", self.marker)
        return None if found is None else int(found[1] or 0)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            section=["", *_HEADING.findall(text[: found.start()])][-1],
            marker=found["marker"] or "",
            language=found["language"],
            text=found["text"],
        )
        for found in _BLOCK.finditer(text)
    ]


def script(name: str) -> ModuleType:
    """Return a script that stands beside the pages, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Reader:
    """Somebody who does what a page says, in a folder of their own, and looks at what comes out.

    Fails an assertion, with the place in the page, when that is not what the page says.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inventory = ""
        self.printed = ""
        self._terminals = ExitStack()

    def follow(self, steps: Sequence[Block]) -> None:
        """Do all of it, and close the other terminals at the end."""
        with self._terminals:
            for step in steps:
                self._do(step)

    def look_at(self, shown: Block) -> None:
        """Compare what is shown with what was printed last."""
        if shown.marker == OF_ONE_RUN:
            self._compare_rows(shown)
        else:
            self._compare(shown)

    def _do(self, step: Block) -> None:
        if step.marker.startswith("file: "):
            (self._folder / step.marker.removeprefix("file: ")).write_text(step.text)
        elif step.marker == _BACKGROUND:
            self.printed = self._terminals.enter_context(self._other_terminal(step))
            self._inventory = self.printed.splitlines()[0]
        elif step.marker in {"output", OF_ONE_RUN}:
            self.look_at(step)
        elif step.exit_code is not None:
            self._type(step)

    def _type(self, step: Block) -> None:
        done = subprocess.run(
            ["bash", "-c", LAB_INVENTORY.sub(self._inventory, step.text)],
            check=False,
            cwd=self._folder,
            env=environment(self._folder),
            stdin=subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            timeout=_PATIENCE_S,
        )
        self.printed = done.stdout
        assert done.returncode == step.exit_code, f"{step.place}: {done.stdout}"

    @contextmanager
    def _other_terminal(self, step: Block) -> Iterator[str]:
        """Run until left, then press Ctrl-C; yields what it prints before it waits."""
        with subprocess.Popen(
            ["bash", "-c", f"exec {step.text}"],
            cwd=self._folder,
            env=environment(self._folder),
            stdin=subprocess.DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            process_group=0,
        ) as process:
            assert process.stdout is not None
            try:
                yield "".join(process.stdout.readline() for _ in range(3))
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(_PATIENCE_S) == 0, step.place

    def _compare(self, shown: Block) -> None:
        for line in filter(None, map(str.rstrip, shown.text.splitlines())):
            assert self.printed_like(line) is not None, (
                f"{shown.place}: {line!r} is not what it prints now:\n{self.printed}"
            )

    def printed_like(self, shown: str) -> str | None:
        """Return the line printed last that differs from it only as one run does from another."""
        wanted = re.compile(".*".join(map(re.escape, _general(shown).split(LEFT_OUT))))
        lines = self.printed.splitlines()
        return next((line for line in lines if wanted.fullmatch(_general(line))), None)

    def _compare_rows(self, shown: Block) -> None:
        """Look for a row with the same words at its beginning for each row that is shown."""
        now = {_label(line) for line in self.printed.splitlines()} | {""}
        missing = [line for line in shown.text.splitlines() if _label(line) not in now]
        assert missing == [], f"{shown.place}: {missing} are not in what it prints:\n{self.printed}"


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a reader with nothing set up, who has activated the venv."""
    kept = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "HOME": str(home), "TERM": "dumb"}


def _general(line: str) -> str:
    """Return the line without what differs from run to run."""
    return " ".join(_VARYING.sub("0", LAB_INVENTORY.sub("INVENTORY", line)).split())


def _label(line: str) -> str:
    """Return the first cell of a row, without figures; "" for a sentence, and without words."""
    label, *cells = _CELLS.split(line.strip())
    return _NUMBER.sub("0", label) if cells and _WORDY.search(label) else ""
