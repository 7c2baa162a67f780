"""Which hosts the options mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine

from fleetrun.cli.login_options import BecomeOptions
from fleetrun.cli.options import FleetOptions
from fleetrun.cli.selection import opened_selection
from fleetrun.testing import FakeHost

INVENTORY = """\
web:
  hosts: {web1: {site: ams}, web2: {site: fra}, web3: {site: ams}}
db:
  hosts: {db1: {site: ams}, db2: , web3: }
"""


@pytest.fixture(autouse=True)
def _inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)


CHOICES = {
    "": "web1 web2 web3 db1 db2",
    "-w web": "web1 web2 web3",
    "--hosts web1,db": "web1 web3 db1 db2",
    "-w web1 -w db1": "web1 db1",
    "-w web -l db": "web3",
    "-l web -l &db": "web3",
    "-l web,!web1": "web2 web3",
    "-l web[0]": "web1",
    "-w web[1-2]": "web1 web2",
    "-x web": "db1 db2",
    "-x web1 -x db1": "web2 web3 db2",
    "-x !web1": "web1",
    "-l web -x web[-1]": "web1 web2",
    "--where site=ams": "web1 web3 db1",
    "-l web --where site!=ams": "web2",
    "--where site!~. --pick 5": "db2",
    "-e site=here --where site=here -l db": "web3 db1 db2",
}


@pytest.mark.parametrize(("words", "names"), CHOICES.items(), ids=[*CHOICES])
def test_options_choose_hosts_in_the_inventorys_order(
    fleetrun: CommandLine, words: str, names: str
) -> None:
    ran = fleetrun("hosts", *words.split())

    assert (ran.code, ran.out.split(), ran.err) == (0, names.split(), "")


def test_a_pick_is_random_repeatable_and_in_order(fleetrun: CommandLine) -> None:
    everyone = fleetrun("hosts").out.split()
    picks = {fleetrun("hosts", "--pick", "2", "--seed", str(seed)).out for seed in range(20)}

    assert len(picks) > 1
    for pick in picks:
        names = pick.split()
        assert len(set(names)) == 2
        assert sorted(names, key=everyone.index) == names
    again = {fleetrun("hosts", "--pick", "2", "--seed", "7").out for _ in range(3)}
    assert len(again) == 1
    assert fleetrun("hosts", "--pick", "9").out.split() == everyone


MISTAKES = {
    "-l nowhere": "--limit: 'nowhere' is no host or group",
    "-w wbe1": "--hosts: 'wbe1' is no host or group; did you mean web1",
    "-x wbe1": "--exclude: 'wbe1' is no host or group; did you mean web1",
    "-l web1 -x web": "--exclude: 'web' leaves no host",
    "-w web1 -l db": "--limit: 'db' leaves no host",
    "--where site=": "--where: at character 1: 'site=' was not expected",
    "--where sit=ams": "--where: at character 1: no host has a variable 'sit'; did you mean site?",
    "--where site=nowhere": "--where: 'site=nowhere' leaves no host",
    "--seed 3": "--seed is for --pick, which was not given",
    "-e site": "--extra-vars wants NAME=VALUE",
    "-e =x": "--extra-vars wants NAME=VALUE",
    "-e port=0": "--extra-vars: port: the port '0' is not a whole number from 1 to 65535",
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.items(), ids=[*MISTAKES])
def test_a_choice_of_nothing_is_an_error_that_names_its_option(
    fleetrun: CommandLine, words: str, message: str
) -> None:
    ran = fleetrun("hosts", *words.split())

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"fleetrun: error: {message}")
    assert ran.err.count("\n") == 1


def test_an_empty_pattern_is_an_error_and_not_every_host(fleetrun: CommandLine) -> None:
    ran = fleetrun("hosts", "-l", "")

    assert (ran.code, ran.out) == (2, "")
    assert "the pattern is empty" in ran.err


# --- hosts without an inventory ------------------------------------------------------------------


def test_without_an_inventory_hosts_are_named_as_for_pdsh(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").unlink()
    words = ["-w", "web[1-3],root@db1:2222", "-w", "x", "-x", "web2"]

    assert fleetrun("hosts", *words).out.split() == ["web1", "web3", "db1", "x"]
    (_, _, db1, _) = json.loads(fleetrun("hosts", *words, "--format", "json").out)["hosts"]
    assert (db1["user"], db1["port"], db1["sources"]["port"]) == ("root", 2222, "--hosts")


@pytest.mark.parametrize("word", ["web*", "!web1", "&web", "~web", "@file"])
def test_without_an_inventory_there_is_nothing_to_select_from(
    fleetrun: CommandLine, tmp_path: Path, word: str
) -> None:
    (tmp_path / "hosts.yaml").unlink()
    ran = fleetrun("hosts", "-w", f"web1,{word}")

    assert ran.code == 2
    assert f"{word!r} selects from an inventory, and there is none" in ran.err


def test_with_an_inventory_only_its_hosts_are_meant(fleetrun: CommandLine) -> None:
    assert fleetrun("hosts", "-w", "elsewhere").code == 2


# --- inventories ---------------------------------------------------------------------------------


def test_several_inventories_add_to_each_other(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "more.ini").write_text("[web]\nweb9\n")
    ran = fleetrun("hosts", "-i", "hosts.yaml", "-i", "more.ini", "-i", "a,b", "-l", "web,a")

    assert ran.out.split() == ["web1", "web2", "web3", "web9", "a"]


def test_warnings_of_the_inventory_are_written_once(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {a: {x: '{{ y }}'}, b: {x: '{{ y }}'}}}\n")
    ran = fleetrun("hosts")

    assert ran.out == "a\nb\n"
    assert ran.err == (
        "fleetrun: warning: hosts.yaml:1: kept as written, since fleetrun evaluates no Jinja "
        "templates: x\n"
    )


def test_a_host_that_is_not_selected_needs_nothing(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {a: , b: {port: '{{ p }}'}}}\n")
    fleetrun.meets({"a": FakeHost(), "b": FakeHost()})

    assert fleetrun("hosts").out == "a\nb\n"
    assert fleetrun("exec", "-l", "a", "true").code == 0
    ran = fleetrun("exec", "true")
    assert ran.code == 2
    assert "error: hosts.yaml:1: 'port' of host 'b' is a Jinja template" in ran.err
    assert fleetrun("exec", "-e", "port=22", "true").code == 0


def test_a_password_that_is_given_takes_the_place_of_one_in_a_vault(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "all: {hosts: {a: {password: !vault x, become: yes, become_password: !vault y}}}\n"
    )
    (tmp_path / "secret").write_text("hunter2\n")
    fleetrun.meets({"a": FakeHost(stdout=b"up\n")})

    assert fleetrun("exec", "--password-file", "secret", "uptime").code == 2
    ran = fleetrun(
        *("exec", "--password-file", "secret", "--become-password-file", "secret", "uptime")
    )
    assert (ran.code, ran.out) == (0, "a: up\n")


def test_sudo_is_for_whom_the_inventory_names_unless_the_option_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {a: {become_user: ann}, b: }}\n")
    monkeypatch.chdir(tmp_path)

    def users(user: str | None) -> list[str | None]:
        become = BecomeOptions(
            become=True, become_user=user, ask_become_pass=False, become_password_file=None
        )
        options = FleetOptions(inventory=("hosts.yaml",))
        with opened_selection(options, become=become) as selection:
            return [host.become_user for host in selection.hosts()]

    assert users(None) == ["ann", "root"]
    assert users("bob") == ["bob", "bob"]
