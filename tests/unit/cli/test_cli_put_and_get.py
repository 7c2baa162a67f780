from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine

from fleetrun.operations import Get, Put
from fleetrun.testing import FakeHost


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[Put | Get]:
    """What the command line would have performed."""
    performed: list[Put | Get] = []

    def perform(
        _fleet: object, operation: Put | Get, _output: object, _stop: object, _waves: object = None
    ) -> int:
        performed.append(operation)
        return 0

    monkeypatch.setattr("fleetrun.cli.put.perform", perform)
    monkeypatch.setattr("fleetrun.cli.get.perform", perform)
    return performed


@pytest.mark.parametrize(
    ("arguments", "sources", "target"),
    [
        (["a"], ["a"], ""),
        (["a", "/srv/b"], ["a"], "/srv/b"),
        (["a", "b", "/srv/"], ["a", "b"], "/srv/"),
    ],
    ids=["one", "one and a place", "several and a place"],
)
def test_the_last_of_several_paths_is_where_files_go(
    arguments: list[str],
    sources: list[str],
    target: str,
    operations: list[Put | Get],
    fleetrun: CommandLine,
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()

    fleetrun("put", "-i", "h1,", *arguments)

    assert operations == [Put(sources=tuple(map(Path, sources)), target=target)]


def test_get_takes_remote_paths_and_a_folder(
    operations: list[Put | Get], fleetrun: CommandLine
) -> None:
    fleetrun("get", "-i", "h1,", "/etc/hosts", ".profile", "fetched")

    assert operations == [Get(sources=("/etc/hosts", ".profile"), target=Path("fetched"))]


def test_each_file_that_was_put_is_a_line(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "motd").write_text("hello\n")

    ran = fleetrun("put", "-i", "h1,", "motd", "/etc/motd")

    assert (ran.code, ran.out) == (0, "h1: /etc/motd\n")


def test_each_file_that_was_got_is_a_line_also_when_a_later_one_fails(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    fleetrun.meets({"h1": FakeHost(files={"/etc/hosts": b"127.0.0.1 localhost\n"})})

    ran = fleetrun("get", "-i", "h1,", "/etc/hosts", "/missing", "fetched")

    assert (ran.code, ran.out) == (1, "h1: fetched/h1/etc/hosts\n")
    assert "/missing: no such file" in ran.err
    assert (tmp_path / "fetched/h1/etc/hosts").read_text() == "127.0.0.1 localhost\n"


@pytest.mark.parametrize(
    "arguments",
    [["put", "missing"], ["put"], ["get", "/etc/hosts"], ["get", "../x", "fetched"]],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_sentence_before_any_host_is_met(
    arguments: list[str], fleetrun: CommandLine
) -> None:
    ran = fleetrun(*arguments)

    assert ran.code == 2
    assert ran.err.startswith("fleetrun: error: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("words", [["put", "motd", "{host}"], ["get", "motd", "fetched"]])
@pytest.mark.parametrize("more", [[], ["--template"]], ids=["alike", "each its own"])
def test_that_files_are_copied_without_sudo_is_said_where_an_inventory_asks_for_it(
    words: list[str], more: list[str], fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "motd").write_text("hello\n")
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {h1: , h2: {ansible_become: true}}}\n")
    fleetrun.meets({host: FakeHost(files={"motd": b"hello"}) for host in ("h1", "h2")})

    ran = fleetrun(*words, *more, "-i", "hosts.yaml")
    without = fleetrun(*words, *more, "-i", "hosts.yaml", "-l", "h1")

    said = "warning: 1 of 2 hosts are set to become another user"
    assert (ran.code, said in ran.err) == (0, True)
    assert (without.code, "warning" in without.err) == (0, False)
