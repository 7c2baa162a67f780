"""`group_vars/` and `host_vars/`: what the comparison with Ansible does not show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleetrun.inventory import Inventory, Overrides

Write = Callable[[dict[str, str | bytes]], None]


def test_settings_come_from_there_with_their_places(write: Write) -> None:
    write({
        "hosts.ini": "[web]\nweb1\n",
        "group_vars/all.yml": "user: all\nport: 1\nconnect_timeout: 3\n",
        "group_vars/web/main.yml": "---\n\nport: 2\n",
        "host_vars/web1.json": '{"user": "ann"}',
    })  # fmt: skip
    (host,) = Inventory.load("hosts.ini").hosts
    assert (host.user, host.port, host.connect_timeout_s) == ("ann", 2, 3.0)
    assert {name: host.sources[name] for name in ("user", "port", "connect_timeout_s")} == {
        "user": "host_vars/web1.json:1",
        "port": "group_vars/web/main.yml:3",
        "connect_timeout_s": "group_vars/all.yml:3",
    }


LAYERS = [
    ("hosts.ini", "[all:vars]\nx=all\n[web]\nweb1\n[prod:children]\nweb\n"),
    ("hosts.ini", "[prod:vars]\nx=prod\n"),
    ("hosts.ini", "[web:vars]\nx=web\n"),
    ("group_vars/all.yml", "x: all file\n"),
    ("group_vars/prod.yml", "x: prod file\n"),
    ("group_vars/web.yml", "x: web file\n"),
    ("hosts.ini", "[web]\nweb1 x=host\n"),
    ("host_vars/web1.yml", "x: host file\n"),
]


@pytest.mark.parametrize("upto", range(1, len(LAYERS) + 1))
def test_each_place_beats_all_before_it(write: Write, upto: int) -> None:
    files: dict[str, str | bytes] = {}
    for name, text in LAYERS[:upto]:
        files[name] = f"{files.get(name, '')}{text}"
    write(files)
    value = Inventory.load("hosts.ini").variables("web1")["x"].value
    assert isinstance(value, str)
    assert value in LAYERS[upto - 1][1]
    (host,) = Inventory.load("hosts.ini", overrides=Overrides(variables={"x": "extra"})).hosts
    assert host.vars["x"] == "extra"


def test_of_two_sources_the_later_ones_files_win_even_for_an_outer_group(write: Write) -> None:
    write({
        "one/hosts": "[web]\nweb1\n[prod:children]\nweb\n",
        "one/group_vars/web.yml": "x: web of one\n",
        "two/hosts": "web2\n",
        "two/group_vars/prod.yml": "x: prod of two\n",
    })  # fmt: skip
    inventory = Inventory.load(["one/hosts", "two/hosts"])
    assert inventory.variables("web1")["x"].value == "prod of two"


def test_a_folder_of_two_sources_counts_once_and_last(write: Write) -> None:
    write({
        "one/a": "web1\n",
        "one/b": "web1\n",
        "one/group_vars/all": "x: one\n",
        "two/c": "web1\n",
        "two/group_vars/all": "x: two\n",
    })  # fmt: skip
    assert Inventory.load(["one/a", "two/c", "one/b"]).variables("web1")["x"].value == "one"
    assert Inventory.load(["one/a", "one/b", "two/c"]).variables("web1")["x"].value == "two"


def test_sources_that_are_no_files_have_none(write: Write) -> None:
    write({"group_vars/all": "x: 1\n", "host_vars/web1": "x: 1\n"})
    assert "x" not in Inventory.load("web1,").variables("web1")


def test_only_groups_and_hosts_that_there_are_are_read(write: Write) -> None:
    write({
        "hosts": "[web]\nweb1\n",
        "group_vars/db.yml": "port: broken\n",
        "host_vars/db1.yml": "port: broken\n",
    })  # fmt: skip
    assert Inventory.load("hosts").names == ("web1",)


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "~\n"])
def test_a_file_of_nothing_says_nothing(write: Write, text: str) -> None:
    write({"hosts": "web1\n", "host_vars/web1": text})
    assert Inventory.load("hosts").hosts[0].vars == {}


def test_a_file_that_is_a_vault_is_left_out_with_a_warning(write: Write) -> None:
    write({"hosts": "web1\n", "host_vars/web1": "$ANSIBLE_VAULT;1.1;AES256\n3132\n"})
    inventory = Inventory.load("hosts")
    assert inventory.hosts[0].vars == {}
    assert inventory.warnings == (
        "host_vars/web1: left out, since fleetrun opens no ansible-vault",
    )


def test_a_priority_counts_in_the_inventory_alone(write: Write) -> None:
    write({
        "hosts.yaml": "a: {hosts: h1, vars: {x: a}}\nb: {hosts: h1, vars: {x: b}}\n",
        "group_vars/a.yml": "ansible_group_priority: 10\n",
    })  # fmt: skip
    inventory = Inventory.load("hosts.yaml")
    assert dict(inventory.hosts[0].vars) == {"x": "b"}
    assert inventory.warnings == (
        (
            "group_vars/a.yml: ansible_group_priority is left out: "
            "it counts in the inventory itself alone"
        ),
    )


def test_a_host_named_like_a_path_reads_no_other_folder(write: Write, tmp_path: Path) -> None:
    write({"hosts": "../web1\n[../all]\n", "web1": "port: 0\n", "all.yml": "port: 0\n"})
    write({"host_vars/x": "", "group_vars/x": ""})
    assert (tmp_path / "host_vars/../web1").exists()
    assert Inventory.load("hosts").hosts[0].port == 22
