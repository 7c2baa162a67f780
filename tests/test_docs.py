"""The documents against the program: what they say is there, and what is there is in them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import inspect
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from made_runs import IDLE, made_run
from pages import DOCS, OF_ONE_RUN, PAGES, README, ROOT, Block, Reader, blocks, script

import fleetrun
from fleetrun import Dask, Fleet, Host, Inventory, Outcome, Phase, Report, Result
from fleetrun.cli.app import app
from fleetrun.findings.calls import CallFindings, CallRun
from fleetrun.findings.multiprogramming import (
    CounterRun,
    MultiprogrammingFindings,
    Span,
    TaskRun,
)
from fleetrun.findings.reading import ReadFindings, ReadRun
from fleetrun.findings.spawn import SpawnFindings, WorkerCost
from fleetrun.inventory import Overrides
from fleetrun.inventory.known import KNOWN
from fleetrun.operations import Exec, Get, Put
from fleetrun.output.compare_json import machine_as_json, run_as_json
from fleetrun.output.json_document import result_as_json, summary_as_json

COMMANDS = script("make_commands")
REFERENCE = DOCS / "reference"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_OUR_PATH = re.compile(
    r"`((?:docs|tests|benchmarks|fleetrun|\.ci)/[\w./-]*|[\w.-]+\.(?:md|toml|yml))`"
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


pages = pytest.mark.parametrize("page", PAGES, ids=name_of)


# --- the reference is complete, and nothing in it is out of date ---------------------------------


def test_the_page_of_commands_is_what_its_script_writes() -> None:
    assert COMMANDS.PAGE.read_text() == f"{COMMANDS.page()}\n", "run: python docs/make_commands.py"


@pytest.mark.parametrize("path", [path for path, _, _ in COMMANDS.commands()])
def test_every_command_and_each_of_its_options_is_in_the_reference(path: str) -> None:
    section = (REFERENCE / "commands.md").read_text().split(f"\n## {path}\n")[1].split("\n## ")[0]
    command = next(command for name, command, _ in COMMANDS.commands() if name == path)
    spellings = [spelling for option in COMMANDS.options(command) for spelling in option.opts]
    assert [spelling for spelling in spellings if not mentions(section, spelling)] == []


def mentions(text: str, word: str) -> bool:
    """Whether the word stands in code, not as a part of a longer one."""
    return re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`", text) is not None


WORDS = {
    "outcomes.md": [*Outcome, *Phase, *map(str, sorted({out.exit_code for out in Outcome}))],
    "inventory.md": list(KNOWN),
    "json.md": [
        *result_as_json(Result(host="h", outcome=Outcome.OK, stdout=b"\xff", stderr=b"\xff")),
        *result_as_json(Result(host="h", outcome=Outcome.OK)),
        *run_as_json(made_run("threads", [1.0])),
        *machine_as_json(IDLE),
        *(
            field.name
            for record in (
                CallFindings,
                CallRun,
                ReadFindings,
                ReadRun,
                SpawnFindings,
                WorkerCost,
                MultiprogrammingFindings,
                TaskRun,
                Span,
                CounterRun,
            )
            for field in dataclasses.fields(record)
        ),
    ],
    "library.md": [
        *(name for name in fleetrun.__all__ if not name.startswith("__")),
        *(out.name for out in Outcome),
        *(
            field.name
            for record in (Dask, Host, Result, Report, Overrides, Exec, Put, Get)
            for field in dataclasses.fields(record)
        ),
        *(
            name
            for kind in (Fleet, Result, Report, Inventory)
            for name, member in vars(kind).items()
            if not name.startswith("_") and (callable(member) or isinstance(member, property))
        ),
        *(
            parameter
            for function in (Fleet, Fleet.from_inventory, Fleet.exec, Fleet.put, Fleet.get)
            for parameter in inspect.signature(function).parameters
            if parameter != "self"
        ),
    ],
    "environment.md": ["FLEETRUN_INVENTORY", "ANSIBLE_INVENTORY", "NO_COLOR", "CLICOLOR_FORCE"],
}


@pytest.mark.parametrize("name", WORDS)
def test_a_reference_names_all_that_there_is(name: str) -> None:
    text = (REFERENCE / name).read_text()
    missing = [
        str(word) for word in WORDS[name] if not (mentions(text, word) or f" {word} " in text)
    ]
    assert missing == []


def test_each_outcome_leads_to_the_exit_code_in_its_row() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (\d) \|$", (REFERENCE / "outcomes.md").read_text(), re.MULTILINE
    )
    assert rows == [(outcome.value, str(outcome.exit_code)) for outcome in Outcome]


def test_the_phases_stand_in_their_order() -> None:
    text = (REFERENCE / "outcomes.md").read_text().split("## Phases")[1]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(Phase)


def test_the_document_shown_has_the_fields_of_a_real_one() -> None:
    (shown,) = (block for block in blocks(REFERENCE / "json.md") if block.language == "json")
    document = json.loads(shown.text)
    result = Result(host="web1", outcome=Outcome.OK)
    assert list(document["results"][0]) == list(result_as_json(result))
    assert list(document["summary"]) == list(summary_as_json(Report(results=(result,))))


def test_the_inventory_reference_shows_one_that_loads(tmp_path: Path) -> None:
    (shown,) = (
        block for block in blocks(REFERENCE / "inventory.md") if block.marker == "inventory"
    )
    (tmp_path / "hosts.yaml").write_text(shown.text)
    hosts = {host.name: host for host in Inventory.load(tmp_path / "hosts.yaml").hosts}
    assert hosts["web2.example.com"].port == 2222
    assert (hosts["db1"].user, hosts["web1.example.com"].user) == ("postgres", "deploy")


# --- what is written can be followed -------------------------------------------------------------


@pages
def test_every_link_leads_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text())
    links = [link for link in _LINK.findall(text) if not link.startswith("https://")]
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    if page.is_relative_to(DOCS) and not target.is_relative_to(DOCS):
        return False  # it would not be on the site
    return not anchor or anchor in map(anchor_of, _HEADING.findall(target.read_text()))


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub and mkdocs both give a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


@pages
def test_every_file_of_ours_that_is_named_is_there(page: Path) -> None:
    named = _OUR_PATH.findall(page.read_text())
    assert [path for path in named if not (ROOT / path).exists() and path != "hosts.yaml"] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_every_page_is_in_the_navigation(page: Path) -> None:
    assert f": {page.relative_to(DOCS)}\n" in (ROOT / "mkdocs.yml").read_text()


@pages
def test_every_piece_of_python_is_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, block.place, "exec")


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield each `fleetrun …` that a page shows to be typed, with its place."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                lines = block.text.replace("\\\n", " ").splitlines()
                yield from ((block.place, line) for line in lines if line.startswith("fleetrun "))
        table = re.findall(r"^\|.*`(fleetrun [^`]*)` \|$", page.read_text(), re.MULTILINE)
        yield from ((name_of(page), line) for line in table)


def test_command_lines_are_found() -> None:
    assert len(list(command_lines())) > 60


@pytest.mark.parametrize(("place", "line"), [*command_lines()])
def test_the_program_understands_every_line_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = refusal(typed_words(line))
    if refused is None or "does not exist" in refused:  # a key or a file that only a reader has
        return
    assert line in SHOWN_AS_MISTAKES, f"{place}: {refused}"


SHOWN_AS_MISTAKES = {"fleetrun exec -l web ls -la"}


def typed_words(line: str) -> list[str]:
    """Return what the program is given of a line: all behind its name, up to a `|` or `>`."""
    lexer = shlex.shlex(line.replace("2>", ">"), posix=True, punctuation_chars="|>&;")
    lexer.whitespace_split = True
    return list(itertools.takewhile(lambda word: word[0] not in "|>&;", lexer))[1:]


def refusal(words: list[str]) -> str | None:
    """Parse as the program does, without running it; return what it finds wrong, if anything."""
    command: click.Command = app
    context = click.Context(app, info_name="fleetrun")
    while isinstance(command, click.Group):
        name, *words = words
        inner = command.get_command(context, name)
        if inner is None:
            return f"there is no command {name}"
        command, context = inner, click.Context(inner, info_name=name, parent=context)
    try:
        command.make_context(context.info_name, words, parent=context.parent)
    except click.UsageError as error:
        return error.format_message()
    return None


TRANSLATED = [*(DOCS / "zh").rglob("*.md")]
FOLLOWED = [
    page
    for page in PAGES
    if page not in {README, *TRANSLATED}
    and any(block.exit_code is not None for block in blocks(page))
]


def original_of(page: Path) -> Path:
    return DOCS / page.relative_to(DOCS / "zh")


@pytest.mark.parametrize("page", TRANSLATED, ids=name_of)
def test_a_translation_has_the_blocks_of_its_original_so_that_following_that_is_enough(
    page: Path,
) -> None:
    there, here = (
        [(block.marker, block.language, block.text) for block in blocks(each)]
        for each in (original_of(page), page)
    )
    assert here == there


@pytest.mark.parametrize(
    ("row", "is_there"), [("threads  4  0.97", True), ("hybrid  4  1.9", False)]
)
def test_the_output_of_one_run_is_held_to_the_names_of_its_rows(
    tmp_path: Path, row: str, *, is_there: bool
) -> None:
    reader = Reader(tmp_path)
    reader.printed = "mode  forks  wall s\nthreads  8  0.50\nThreads took 0.50 s.\n"
    shown = Block(page=README, line=1, section="", marker=OF_ONE_RUN, language="text",
                  text=f"mode  forks  wall s\n{row}\nThreads took 0.97 s.\n")  # fmt: skip
    with contextlib.nullcontext() if is_there else pytest.raises(AssertionError, match="hybrid"):
        reader.look_at(shown)


def test_every_page_of_the_course_is_translated() -> None:
    course = (DOCS / "concurrency").glob("*.md")
    assert sorted(map(original_of, TRANSLATED)) == sorted(course)


@pytest.mark.long
@pytest.mark.parametrize("page", FOLLOWED, ids=name_of)
def test_doing_what_a_page_says_has_the_outcome_that_it_shows(tmp_path: Path, page: Path) -> None:
    if page.name == "tutorial.md":
        Reader(tmp_path).follow(blocks(page))
        return
    with script("make_pictures").practice_fleet(tmp_path):
        Reader(tmp_path).follow(blocks(page))


@pytest.mark.long
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    if importlib.util.find_spec("material") is None:
        pytest.skip("the site is built with the extra docs: pip install '.[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fetched = re.compile(r"""<(?:script|img|link)[^>]*(?:src|href)="?(https?://[^"\s>]*)""")
    for page in tmp_path.rglob("*.html"):
        assert fetched.findall(page.read_text()) == []
