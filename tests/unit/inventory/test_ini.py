"""Ansible's INI layout: what the comparison with Ansible does not show, places and spelling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetrun.hosts import Secret
from fleetrun.inventory import Inventory

Load = Callable[..., Inventory]


def test_values_keep_their_spelling_and_know_their_lines(load: Load) -> None:
    inventory = load(
        """\
        web1 ansible_port=2222 rack=022 flag=no ratio=1.10 mac=0x1F

        [web]
        web1
        [web:vars]
        ansible_user=deploy
        zero = 007   # a comment behind a number
        """,
        name="hosts",
    )
    (host,) = inventory.hosts
    assert (host.port, host.user) == (2222, "deploy")
    assert dict(host.vars) == {
        "ansible_user": "deploy",
        "zero": "007",
        "ansible_port": "2222",
        "rack": "022",
        "flag": "no",
        "ratio": "1.10",
        "mac": "0x1F",
    }
    assert (host.sources["name"], host.sources["port"]) == ("hosts:1", "hosts:1")
    assert host.sources["user"] == "hosts:6"
    assert str(inventory.variables("web1")["zero"].place) == "hosts:7"


LITERALS = {
    "text": "text",
    "two words": "two words",
    "'two words'": "two words",
    "'a' 'b'": "ab",
    "u'old'": "old",
    "b'bytes'": "bytes",
    r"'a\d'": r"a\d",
    "'open": "'open",
    "a=b": "a=b",
    "text # no comment": "text # no comment",
    "3 # a comment": "3",
    "True # a comment": "True",
    "'quoted' # a comment": "quoted",
    "['a', 1, None]": ["a", "1", "None"],
    "(1, 2)": ["1", "2"],
    "{'a': {'b': [1]}, 2: 3}": {"a": {"b": ["1"]}, "2": "3"},
    "[a, b]": "[a, b]",
    "{{ template }}": "{{ template }}",
    "__import__('os').system('id')": "__import__('os').system('id')",
    "[" * 5000: "[" * 5000,
    "": "",
}


@pytest.mark.parametrize(("written", "value"), LITERALS.items(), ids=[key[:30] for key in LITERALS])
def test_a_value_may_be_a_python_literal(load: Load, written: str, value: object) -> None:
    (host,) = load(f"web1\n[all:vars]\nx={written}\n", name="hosts").hosts
    assert host.vars == {"x": value}


def test_a_value_that_is_too_long_to_be_a_list_is_text(load: Load) -> None:
    long = f"[{'1,' * 40_000}]"
    (host,) = load(f"web1\n[all:vars]\nx={long}\n", name="hosts").hosts
    assert host.vars == {"x": long}


def test_secrets_are_secrets_here_too(load: Load) -> None:
    (host,) = load("web1 ansible_password=hunter2 db_password='[1, 2]'\n", name="hosts").hosts
    assert host.password == Secret("hunter2")
    assert host.vars["db_password"] == [Secret("1"), Secret("2")]


def test_what_stands_twice_in_one_section_is_a_warning_and_the_last_counts(load: Load) -> None:
    inventory = load("web1 a=1 a=2\n[all:vars]\nb=1\nb=2\n", name="hosts")
    assert inventory.warnings == (
        "hosts:1: 'a' stands here twice, in this line; the last counts",
        "hosts:4: 'b' stands here twice, first in line 3; the last counts",
    )
    assert inventory.hosts[0].vars == {"a": "2", "b": "2"}


def test_groups_may_be_declared_in_a_later_file(write: Callable[..., None]) -> None:
    write({"one.ini": "[prod:children]\nweb\n[web:vars]\nx=1\n", "two.ini": "[web]\nweb1\n"})
    inventory = Inventory.load(["one.ini", "two.ini"])
    assert inventory.groups["prod"] == ("web1",)
    assert inventory.hosts[0].vars == {"x": "1"}
