from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from command_line import CommandLine

INVENTORY = """\
all:
  children:
    web:
      hosts:
        web1:
          port: 2222
          db_password: hunter2
          nested: {api_token: hunter2, colour: blue, list: [{secret: hunter2}]}
        web2:
    db:
      hosts:
        db1:
          password: hunter2
"""


def test_the_selected_hosts_come_one_a_line(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)

    assert fleetrun("hosts").out == "web1\nweb2\ndb1\n"
    assert fleetrun("hosts", "-l", "web").out == "web1\nweb2\n"


def test_the_document_has_every_value_and_its_source(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)

    ran = fleetrun(
        *("hosts", "-l", "web1", "--format", "json", "-u", "deploy", "-T", "500ms"),
        *("--known-hosts", "a", "--known-hosts", "b", "--host-keys", "accept-new"),
        *("--command-timeout", "1m"),
    )

    (host,) = json.loads(ran.out)["hosts"]
    assert (host["name"], host["port"], host["user"]) == ("web1", 2222, "deploy")
    assert host["connect_timeout_s"] == 0.5
    assert host["command_timeout_s"] == 60.0
    assert host["known_hosts"] == ["a", "b"]
    assert host["host_keys"] == "accept-new"
    assert host["groups"] == ["web"]
    assert host["sources"]["port"] == "hosts.yaml:6"
    assert host["sources"]["user"] == "--user"
    assert ran.code == 0


def test_no_secret_is_shown(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY)

    ran = fleetrun("hosts", "--format", "json")

    assert "hunter2" not in ran.out
    web1, _, db1 = json.loads(ran.out)["hosts"]
    assert db1["password"] == "***"
    assert web1["password"] is None
    assert web1["vars"]["nested"] == {
        "api_token": "***",
        "colour": "blue",
        "list": [{"secret": "***"}],
    }


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_host_that_cannot_be_connected_to_is_shown_with_the_reason(
    fleetrun: CommandLine, tmp_path: Path, form: str
) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "all:\n  hosts:\n    web1: {user: '{{ x }}', port: 2222}\n    web2: {port: 2222}\n"
    )

    ran = fleetrun("hosts", "--format", form)

    web1, web2 = yaml.safe_load(ran.out)["hosts"]  # JSON is YAML
    assert ran.code == 0
    (obstacle,) = web1["obstacles"]
    assert obstacle.startswith("hosts.yaml:3: 'user' of host 'web1' is a Jinja template, ")
    assert (web1["port"], web1["sources"]["user"]) == (2222, "hosts.yaml:3")
    assert web1["user"] == web2["user"]
    assert web2["obstacles"] == []


def test_a_mistake_in_the_inventory_is_named_with_its_line(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text("all:\n  hosts:\n    web1: {port: many}\n")

    ran = fleetrun("hosts")

    assert ran.code == 2
    assert ran.err.startswith("fleetrun: error: hosts.yaml:3: ")
    assert ran.err.count("\n") == 1


def test_names_are_folded_on_request(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "all: {hosts: {'web[01-20]': , db1: , 'r[1-2]n[1-2]': }}\n"
    )

    assert fleetrun("hosts", "--format", "folded").out == "web[01-20],db1,r[1-2]n[1-2]\n"
    assert fleetrun("hosts", "--format", "folded", "-x", "web07").out.startswith(
        "web[01-06,08-20],"
    )


def test_the_yaml_document_is_the_json_document(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY.replace("port: 2222", "rack: 022"))

    of_json = json.loads(fleetrun("hosts", "--format", "json").out)
    assert yaml.safe_load(fleetrun("hosts", "--format", "yaml").out) == of_json
    assert of_json["hosts"][0]["vars"]["rack"] == "022"


def test_variables_come_with_their_places(fleetrun: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(INVENTORY + '  vars: {site: "ams\\x1b"}\n')

    assert (
        fleetrun("hosts", "-l", "web1,web2", "--vars", "-e", "rack=7").out
        == """\
web1
  db_password = ***  (hosts.yaml:7)
  nested = {"api_token": "***", "colour": "blue", "list": [{"secret": "***"}]}  (hosts.yaml:8)
  port = 2222  (hosts.yaml:6)
  rack = 7  (--extra-vars)
  site = ams\\x1b  (hosts.yaml:14)
web2
  rack = 7  (--extra-vars)
  site = ams\\x1b  (hosts.yaml:14)
"""
    )


GROUPS = """\
all:
  hosts: {alone: }
  children:
    prod:
      hosts: {own: }
      children:
        web: {hosts: {web1: {x: 1}, web2: }}
        db: {hosts: {db1: }}
    berlin: {children: {web: }, hosts: {db1: }}
    empty:
"""


def test_the_tree_shows_groups_hosts_and_their_variables(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(GROUPS)

    assert (
        fleetrun("hosts", "--graph").out
        == """\
@all:
  |--@ungrouped:
  |  |--alone
  |--@prod:
  |  |--own
  |  |--@web:
  |  |  |--web1
  |  |  |--web2
  |  |--@db:
  |  |  |--db1
  |--@berlin:
  |  |--db1
  |  |--@web: (as above)
  |--@empty:
"""
    )
    assert (
        fleetrun("hosts", "--graph", "--vars", "-l", "web1").out
        == """\
@all:
  |--@prod:
  |  |--@web:
  |  |  |--web1
  |  |  |  |--x = 1  (hosts.yaml:7)
  |--@berlin:
  |  |--@web: (as above)
"""
    )


def test_a_chain_of_groups_may_be_longer_than_python_can_call(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    chain = "".join(f"g{number}: {{children: g{number + 1}}}\n" for number in range(2000))
    (tmp_path / "hosts.yaml").write_text(f"{chain}g2000: {{hosts: web1}}\n")

    assert fleetrun("hosts", "--graph").out.count("@") == 2003


@pytest.mark.parametrize("form", ["json", "yaml", "folded"])
@pytest.mark.parametrize("option", ["--graph", "--vars"])
def test_lines_and_documents_do_not_mix(fleetrun: CommandLine, form: str, option: str) -> None:
    ran = fleetrun("hosts", "-i", "web1,", option, "--format", form)

    assert (ran.code, ran.out) == (2, "")
    assert f"{option} shows lines; it does not go with --format {form}" in ran.err
