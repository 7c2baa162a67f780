"""Groups and hosts in Ansible's YAML layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetrun.inventory import Inventory

Load = Callable[..., Inventory]


def _names(inventory: Inventory) -> list[str]:
    return [host.name for host in inventory.hosts]


EMPTY_BODIES = ["", " {}", " ~", " null"]


@pytest.mark.parametrize("body", EMPTY_BODIES)
def test_an_empty_body_is_a_host(load: Load, body: str) -> None:
    assert _names(load(f"all:\n  hosts:\n    web1:{body}\n")) == ["web1"]


@pytest.mark.parametrize("body", EMPTY_BODIES)
@pytest.mark.parametrize("section", ["vars", "hosts", "children"])
def test_an_empty_section_says_nothing(load: Load, section: str, body: str) -> None:
    assert _names(load(f"web:\n  {section}:{body}\nall:\n  hosts: web1\n")) == ["web1"]


def test_groups_stand_at_the_top_or_below_all(load: Load) -> None:
    top = load("web: {hosts: web1}\ndb: {hosts: db1}\n")
    nested = load("all: {children: {web: {hosts: web1}, db: {hosts: db1}}}\n")
    assert top.hosts == nested.hosts
    assert top.groups == nested.groups


def test_hosts_keep_the_order_in_which_they_first_stand(load: Load) -> None:
    inventory = load("""\
        db: {hosts: {db2: , db1: }}
        all: {hosts: {z: , db1: }, children: {web: {hosts: {a: , db2: }}}}
        """)
    assert _names(inventory) == ["db2", "db1", "z", "a"]


def test_a_host_may_be_in_many_groups(load: Load) -> None:
    inventory = load("""\
        web: {hosts: {web1: , web2: }}
        berlin: {hosts: {web2: , db1: }}
        """)
    assert {host.name: host.groups for host in inventory.hosts} == {
        "web1": ("web",),
        "web2": ("berlin", "web"),
        "db1": ("berlin",),
    }


def test_a_group_holds_the_hosts_of_the_groups_below_it(load: Load) -> None:
    inventory = load("""\
        all:
          children:
            prod:
              children:
                web: {hosts: {web1: }}
                db: {children: {primary: {hosts: {db1: }}, replica: }}
            empty:
          hosts: {alone: }
        """)
    assert inventory.groups == {
        "all": ("web1", "db1", "alone"),
        "ungrouped": ("alone",),
        "prod": ("web1", "db1"),
        "web": ("web1",),
        "db": ("db1",),
        "primary": ("db1",),
        "replica": (),
        "empty": (),
    }
    by_name = {host.name: host.groups for host in inventory.hosts}
    assert by_name["db1"] == ("prod", "db", "primary")
    assert by_name["alone"] == ("ungrouped",)


def test_ungrouped_may_be_written_and_gives_way_to_any_other_group(load: Load) -> None:
    inventory = load("""\
        ungrouped: {vars: {site: none}, hosts: {a: , b: }}
        web: {hosts: {b: }}
        """)
    assert inventory.groups["ungrouped"] == ("a",)
    assert [dict(host.vars) for host in inventory.hosts] == [{"site": "none"}, {}]


def test_a_chain_of_groups_may_be_longer_than_python_can_call(load: Load) -> None:
    chain = "".join(f"g{i}: {{children: g{i + 1}}}\n" for i in range(3000))
    (host,) = load(chain + "g3000: {hosts: web1}\n").hosts
    assert len(host.groups) == 3001


def test_anchors_aliases_and_merges_work(load: Load) -> None:
    inventory = load("""\
        all:
          vars: &common {site: ams, user: deploy}
          children:
            web:
              hosts: &web
                web1: {<<: *common, user: root}
            also: {hosts: *web}
        """)
    (host,) = inventory.hosts
    assert (host.user, host.vars["site"], host.groups) == ("root", "ams", ("also", "web"))
    assert host.sources["user"] == "hosts.yaml:6"


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""], ids=["LF", "CRLF", "no final newline"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_line_endings_and_a_byte_order_mark_make_no_difference(
    load: Load, mark: bytes, ending: str
) -> None:
    text = "all:\n  hosts:\n    web1: {port: 2222}"
    data = mark + (text.replace("\n", ending or "\n") + ending).encode()
    (host,) = load(data).hosts
    assert (host.name, host.port, host.sources["port"]) == ("web1", 2222, "hosts.yaml:3")


def test_json_is_yaml(load: Load) -> None:
    (host,) = load('{"all": {"hosts": {"web1": {"ansible_port": 2222}}}}').hosts
    assert host.port == 2222


@pytest.mark.parametrize(
    ("key", "name", "port"),
    [
        ("web1:2222", "web1", 2222),
        ("'[2001:db8::1]:2222'", "2001:db8::1", 2222),
        ("'[2001:db8::1]'", "2001:db8::1", 22),
        ("2001:db8::1", "2001:db8::1", 22),
        ("::1", "::1", 22),
        ("10", "10", 22),
        ("no", "no", 22),
    ],
)
def test_a_host_may_be_written_with_its_port(load: Load, key: str, name: str, port: int) -> None:
    (host,) = load(f"all:\n  hosts:\n    {key}:\n").hosts
    assert (host.name, host.address, host.port) == (name, name, port)


def test_the_port_in_a_name_gives_way_to_the_hosts_own_variable(load: Load) -> None:
    (host,) = load("all: {hosts: {'web1:2222': {ansible_port: 22}}}\n").hosts
    assert host.port == 22


def test_one_name_with_its_port_may_stand_in_many_groups(load: Load) -> None:
    (host,) = load("a: {hosts: {'web1:2222': }}\nb: {hosts: {'web1:2222': , }}\n").hosts
    assert (host.port, host.groups) == (2222, ("a", "b"))
