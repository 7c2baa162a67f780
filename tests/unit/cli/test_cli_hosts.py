from __future__ import annotations

import json
from pathlib import Path

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


def test_a_mistake_in_the_inventory_is_named_with_its_line(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text("all:\n  hosts:\n    web1: {port: many}\n")

    ran = fleetrun("hosts")

    assert ran.code == 2
    assert ran.err.startswith("fleetrun: error: hosts.yaml:3: ")
    assert ran.err.count("\n") == 1
