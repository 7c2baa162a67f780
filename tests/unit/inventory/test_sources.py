"""What `-i` may name, and how it is told what it is."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory, Overrides

Write = Callable[[dict[str, str | bytes]], None]

LAYOUTS = {
    "YAML by its ending": ("x.yaml", "web: {hosts: {h1: }}\n"),
    "YAML by its other ending": ("x.yml", "web: {hosts: {h1: }}\n"),
    "YAML by its first line": ("x", "web:\n  hosts: h1\n"),
    "YAML behind comments": ("x", "# h2\n\n  # h3\nweb:\n  hosts: h1\n"),
    "YAML by its mark": ("x.prod", "---\nweb: {hosts: {h1: }}\n"),
    "YAML with a quoted key": ("x", '"web":\n  hosts: h1\n'),
    "INI by its ending": ("x.ini", "[web]\nh1\n"),
    "INI by its first line": ("x", "[web]\nh1\n"),
    "INI with another ending": ("x.example.com", "; h2\n[web]\nh1\n"),
    "a list of names": ("x", "h1:2222 a=1\n[web]\nh1\n"),
    "JSON in YAML's layout": ("x.json", '{"web": {"hosts": {"h1": null}}}'),
    "JSON without an ending": ("x", ' {"web": {"hosts": {"h1": {}}}}'),
    "JSON that a script printed": ("x", '{"web": {"hosts": ["h1"]}, "_meta": {}}'),
    "JSON that a script printed, briefly": ("x.json", '{"web": ["h1"]}'),
    "JSON with tabs": ("x", '{\n\t"web": {\n\t\t"hosts": ["h1"]\n\t}\n}'),
    "with a mark of byte order": ("x", b"\xef\xbb\xbfweb:\n  hosts: h1\n"),
    "with Windows' line ends": ("x", b"[web]\r\nh1\r\n"),
}


@pytest.mark.parametrize(("name", "text"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_file_shows_its_layout(write: Write, name: str, text: str | bytes) -> None:
    write({name: text})
    inventory = Inventory.load(name)
    assert (inventory.names, inventory.groups["web"]) == (("h1",), ("h1",))


def test_what_ansible_inventory_prints_is_an_inventory(write: Write) -> None:
    write({
        "list.json": """\
            {"_meta": {"hostvars": {"h1": {"ansible_host": "192.0.2.1", "n": 1.5, "on": true,
              "key": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"},
              "raw": {"__ansible_unsafe": "{{ x }}"}, "smile": "\\ud83d\\ude00 \\\\ud83d"}},
              "profile": "inventory_legacy"},
             "all": {"children": ["ungrouped", "web"]},
             "web": {"hosts": ["h1"], "description": "?"}}
        """
    })  # fmt: skip
    inventory = Inventory.load("list.json")
    (host,) = inventory.hosts
    assert (host.address, host.groups) == ("192.0.2.1", ("web",))
    assert host.vars["n"] == "1.5"
    assert host.vars["on"] == "true"
    assert host.vars["raw"] == "{{ x }}"
    assert host.vars["smile"] == "\U0001f600 \\ud83d"
    assert inventory.warnings == (
        "list.json:6: groups have no such keys, which are left out: description",
        "list.json:2: kept as written, since fleetrun opens no ansible-vault: key",
    )


def test_a_folder_is_all_inventories_in_it_in_order(write: Write) -> None:
    write({
        "all/20.ini": "h1 a=20\n",
        "all/10.yaml": "web: {hosts: {h1: {a: 10, b: 10}}}\n",
        "all/more/x": "h2\n",
        "all/group_vars/web.yml": "g: 1\n",
        "all/host_vars/h2": "h: 2\n",
        "all/notes.md": "no inventory",
    })  # fmt: skip
    inventory = Inventory.load("all")
    assert inventory.names == ("h1", "h2")
    assert dict(inventory.hosts[0].vars) == {"g": "1", "a": "20", "b": "10"}
    assert dict(inventory.hosts[1].vars) == {"h": "2"}


def test_an_empty_folder_has_no_hosts(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory.load(tmp_path)
    assert str(caught.value) == f"{tmp_path}: there is no host in it"


def test_folders_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/again").symlink_to(tmp_path / "inventory")
    with pytest.raises(InventoryError, match="more than 20 levels deep in each other"):
        Inventory.load(tmp_path / "inventory")


def test_several_sources_add_to_each_other_in_order(write: Write) -> None:
    write({"one.yaml": "web: {hosts: {h1: {a: 1, b: 1}}}\n", "two.ini": "h1 b=2\n[web]\nh2\n"})
    inventory = Inventory.load(["one.yaml", Path("two.ini"), "h3,"])
    assert inventory.names == ("h1", "h2", "h3")
    assert inventory.groups["web"] == ("h1", "h2")
    assert dict(inventory.hosts[0].vars) == {"a": "1", "b": "2"}


def test_one_of_several_sources_may_be_empty(write: Write) -> None:
    write({"one.yaml": "---\n", "two": ""})
    assert Inventory.load(["one.yaml", "two", "h3,"]).names == ("h3",)
    with pytest.raises(InventoryError, match=r"^one.yaml, two: there is no host in it$"):
        Inventory.load(["one.yaml", "two"])


def test_no_source_at_all_is_an_error() -> None:
    with pytest.raises(InventoryError, match="there is no host in it"):
        Inventory.load([])


@pytest.mark.parametrize(
    "text", ["h1\nh2 port=22\n", "all: {hosts: {h1: , h2: }}\n", '{"a": ["h1", "h2"]}']
)
def test_standard_input_may_be_an_inventory(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    inventory = Inventory.load("-")
    assert inventory.names == ("h1", "h2")
    assert inventory.hosts[0].sources["name"] == "standard input:1"


def test_a_standard_input_that_was_closed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InventoryError, match=r"^standard input: there is no standard input$"):
        Inventory.load("-")


def test_an_empty_name_is_not_the_folder_that_one_is_in(write: Write) -> None:
    write({"hosts.yaml": "all: {hosts: h1}\n"})
    with pytest.raises(InventoryError, match=r"^-i: the name of the inventory is empty$"):
        Inventory.load("")
    assert Inventory.load(".").names == ("h1",)


def test_a_list_may_be_longer_than_any_files_name() -> None:
    assert len(Inventory.load(",".join(f"web{number}" for number in range(2000))).names) == 2000


def test_a_file_with_a_comma_in_its_name_is_no_list(write: Write) -> None:
    write({"a,b": "h1\n"})
    assert Inventory.load("a,b").names == ("h1",)


def test_the_origin_is_what_a_mistake_in_a_list_points_to() -> None:
    with pytest.raises(InventoryError, match=r"^\$FLEETRUN_INVENTORY: 'b;'"):
        Inventory.load("a,b;", origin="$FLEETRUN_INVENTORY")


def test_everything_may_be_executable_and_is_still_read(write: Write) -> None:
    write({"hosts.yaml": "all: {hosts: h1}\n"})
    Path("hosts.yaml").chmod(0o755)
    assert Inventory.load("hosts.yaml").names == ("h1",)


KNOWN_HOSTS = b"""\
# comment
web1,192.0.2.1 ssh-ed25519 AAAA
web1 ssh-rsa AAAA

[web2]:2222 ssh-ed25519 AAAA comment with [brackets]
[2001:db8::1]:22 ssh-ed25519 AAAA
|1|c2FsdA==|aGFzaA== ssh-ed25519 AAAA
|1|c2FsdB==|aGFzaB== ssh-ed25519 AAAA
*.example.com,!bad ssh-ed25519 AAAA
@cert-authority all.example.com ssh-ed25519 AAAA
@revoked old ssh-ed25519 AAAA
"""


@pytest.mark.parametrize("source", ["known_hosts:", "known_hosts:other"])
def test_known_hosts_is_an_inventory_of_its_plain_names(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    write({".ssh/known_hosts": KNOWN_HOSTS, "other": KNOWN_HOSTS})
    monkeypatch.setenv("HOME", str(tmp_path))
    inventory = Inventory.load(source)
    assert [(host.name, host.address, host.port) for host in inventory.hosts] == [
        ("web1", "web1", 22),
        ("web2", "web2", 2222),
        ("2001:db8::1", "2001:db8::1", 22),
    ]
    file = "other" if source.endswith("other") else str(tmp_path / ".ssh/known_hosts")
    assert inventory.hosts[0].sources["name"] == f"{file}:2"
    assert inventory.warnings == (
        f"{file}:7: the name is hashed, and its host left out (and once more)",
    )


def test_ssh_config_is_an_inventory_of_its_aliases(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({
        "config": "Include more\nHost web1 web2 !web3 *.example.com\n  Port 2222\nHost web1\n",
        ".ssh/more": "Host db1\n",
    })  # fmt: skip
    monkeypatch.setenv("HOME", str(tmp_path))
    inventory = Inventory.load("ssh_config:config")
    assert set(inventory.names) == {"db1", "web1", "web2"}
    assert {host.ssh_config for host in inventory.hosts} == {"config"}
    with pytest.raises(InventoryError, match="nowhere: there is no such file"):
        Inventory.load("ssh_config:nowhere")


def test_a_path_is_never_anything_but_a_file(write: Write) -> None:
    write({"known_hosts:": "h1\n"})
    assert Inventory.load(Path("known_hosts:")).names == ("h1",)


def test_overrides_hold_for_all_sources() -> None:
    inventory = Inventory.load(["a,", "b,"], overrides=Overrides(port=2222))
    assert [host.port for host in inventory.hosts] == [2222, 2222]


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX's")
def test_a_pipe_in_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InventoryError, match="pipe: it is not an ordinary file"):
        Inventory.load(tmp_path)
