"""The README, done as it says: against practice hosts that stand in for those it names."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pages import README, Block, Reader, blocks, script

from fleetrun.inventory import Inventory
from fleetrun.lab import Lab

BROKEN = "When hosts are broken"
RUN = (
    "python3 -m venv .venv && .venv/bin/pip install '.[lab]' && "
    '.venv/bin/fleetrun exec --lab 8 "uptime" --mode threads\n'
)
TEST = "python3 -m venv .venv && .venv/bin/pip install '.[lab,test]' && .venv/bin/pytest\n"


def marked(marker: str) -> Block:
    (block,) = (block for block in blocks(README) if block.marker == marker)
    return block


@pytest.fixture
def named_hosts(tmp_path: Path) -> Iterator[Path]:
    """Return a folder where the hosts of the README's inventory are practice hosts."""
    shutil.copy(README, tmp_path)
    inventory = yaml.safe_load(marked("file: hosts.yaml").text)
    names = list(inventory["web"]["hosts"])
    with Lab(len(names)) as lab:
        reached = yaml.safe_load(lab.inventory.read_text())["all"]
        ports = reached["hosts"].values()
        inventory["web"]["vars"] = reached["vars"]
        inventory["web"]["hosts"] = dict(zip(names, ports, strict=True))
        (tmp_path / "hosts.yaml").write_text(yaml.safe_dump(inventory))
        yield tmp_path


@pytest.mark.parametrize(("marker", "line"), [("command: run", RUN), ("command: test", TEST)])
def test_all_the_setting_up_is_one_line_each(marker: str, line: str) -> None:
    assert (marked(marker).language, marked(marker).text) == ("sh", line)


def test_the_markers_stand_right_before_their_block_for_scripts_that_look_for_them() -> None:
    assert f"<!-- command: run -->\n```sh\n{RUN}```\n" in README.read_text()
    assert f"<!-- command: test -->\n```sh\n{TEST}```\n" in README.read_text()


def test_what_the_first_command_runs_prints_what_is_shown(tmp_path: Path) -> None:
    typed, shown = marked("command: run"), marked("output: run")
    run = typed.text.rpartition("&&")[2].replace(".venv/bin/", "")
    typed = dataclasses.replace(typed, marker="runnable", text=run)
    Reader(tmp_path).follow([typed, dataclasses.replace(shown, marker="output")])


def test_its_inventory_loads_and_means_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(marked("file: hosts.yaml").text)
    inventory = Inventory.load(tmp_path / "hosts.yaml")
    web1, web2, web3 = inventory.select("web")
    assert (web1.address, web1.port) == ("web1.example.com", 22)
    assert web2.user == "deploy"
    assert (web3.address, web3.port) == ("192.0.2.13", 2222)


def test_its_commands_and_its_script_do_what_it_shows(named_hosts: Path) -> None:
    steps = [block for block in blocks(README) if block.section != BROKEN]
    Reader(named_hosts).follow([step for step in steps if step.marker != "file: hosts.yaml"])
    fetched = named_hosts / "fetched" / "web1.example.com" / "README.md"
    assert fetched.read_bytes() == README.read_bytes()


def test_its_script_has_ten_lines() -> None:
    lines = marked("file: disk.py").text.splitlines()
    assert len([line for line in lines if line]) == 10


def test_broken_hosts_are_reported_as_it_shows(tmp_path: Path) -> None:
    with script("make_pictures").practice_fleet(tmp_path):
        Reader(tmp_path).follow([block for block in blocks(README) if block.section == BROKEN])
