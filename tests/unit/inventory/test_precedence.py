"""Which value wins: all < parent group < child group < host < command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetrun.hosts import DEFAULT_KNOWN_HOSTS, Host, HostKeyPolicy
from fleetrun.inventory import Inventory, Overrides

Load = Callable[..., Inventory]


def _only(inventory: Inventory) -> Host:
    (host,) = inventory.hosts
    return host


LEVELS = {
    "default": ("", "{}", "{}", "{}", "default"),
    "all": ("user: one", "{}", "{}", "{}", "hosts.yaml:2"),
    "parent": ("user: one", "{user: two}", "{}", "{}", "hosts.yaml:5"),
    "child": ("user: one", "{user: two}", "{user: three}", "{}", "hosts.yaml:8"),
    "host": ("user: one", "{user: two}", "{user: three}", "{user: four}", "hosts.yaml:10"),
}
_USERS = {"all": "one", "parent": "two", "child": "three", "host": "four"}


@pytest.mark.parametrize("winner", LEVELS)
@pytest.mark.parametrize("override", [None, "five"])
def test_the_inner_level_wins_and_the_command_line_beats_them_all(
    load: Load, monkeypatch: pytest.MonkeyPatch, winner: str, override: str | None
) -> None:
    monkeypatch.setattr("fleetrun.hosts.current_user", lambda: "myself")
    of_all, parent, child, own, place = LEVELS[winner]
    text = f"""\
        all:
          vars: {{{of_all}}}
          children:
            parent:
              vars: {parent}
              children:
                child:
                  vars: {child}
                  hosts:
                    web1: {own}
        """
    host = _only(load(text, Overrides(user=override)))
    if override is None:
        assert (host.user, host.sources["user"]) == (_USERS.get(winner, "myself"), place)
    else:
        assert (host.user, host.sources["user"]) == ("five", "--user")


def test_the_order_of_the_file_does_not_decide_between_parent_and_child(load: Load) -> None:
    host = _only(
        load("""\
            child:
              vars: {port: 1}
              hosts: web1
            parent:
              vars: {port: 2}
              children: child
            """)
    )
    assert host.port == 1


TIES = {
    "the later name wins": ("", "", "b"),
    "unless the other has the higher priority": ("ansible_group_priority: 2, ", "", "a"),
    "also when it is quoted": ("ansible_group_priority: '10', ", "", "a"),
    "or this one a lower": ("", "ansible_group_priority: -1, ", "a"),
    "equal priorities leave it to the name": (
        "ansible_group_priority: 5, ",
        "ansible_group_priority: 5, ",
        "b",
    ),
}


@pytest.mark.parametrize(("of_a", "of_b", "winner"), TIES.values(), ids=TIES)
def test_on_one_level(load: Load, of_a: str, of_b: str, winner: str) -> None:
    host = _only(
        load(f"""\
            b:
              vars: {{{of_b}site: b}}
              hosts: web1
            a:
              vars: {{{of_a}site: a}}
              hosts: web1
            """)
    )
    assert host.vars == {"site": winner}


def test_priority_does_not_lift_a_parent_above_its_child(load: Load) -> None:
    host = _only(
        load("""\
            parent:
              vars: {ansible_group_priority: 99, site: parent}
              children:
                child: {vars: {site: child}, hosts: web1}
            """)
    )
    assert host.vars["site"] == "child"


SHORT_WAY = "short: {children: {m: , z: }}\n"
LONG_WAY = "long: {children: {longer: {children: m}}}\n"


@pytest.mark.parametrize(
    "ways", [SHORT_WAY + LONG_WAY, LONG_WAY + SHORT_WAY], ids=["short first", "long first"]
)
def test_the_longest_way_down_decides_how_deep_a_group_is(load: Load, ways: str) -> None:
    host = _only(
        load(f"""\
m: {{vars: {{site: m}}, hosts: web1}}
z: {{vars: {{site: z}}, hosts: web1}}
{ways}""")
    )
    assert host.vars["site"] == "m"  # three below all; z, though the later name, only two
    assert host.groups == ("long", "short", "longer", "z", "m")


def test_what_stands_later_wins_for_a_host_that_stands_twice(load: Load) -> None:
    host = _only(
        load("""\
            a: {hosts: {web1: {port: 1, user: first}}}
            b: {hosts: {web1: {port: 2}}}
            """)
    )
    assert (host.port, host.user) == (2, "first")


def test_a_group_in_two_places_is_one_group(load: Load) -> None:
    inventory = load("""\
        all:
          children:
            web: {hosts: {web1: }}
        web:
          vars: {port: 2222}
          hosts: {web2: }
        """)
    assert inventory.groups["web"] == ("web1", "web2")
    assert [host.port for host in inventory.hosts] == [2222, 2222]


def test_an_inner_template_does_not_matter_where_it_is_beaten(load: Load) -> None:
    text = "all:\n  vars: {user: '{{ who }}'}\n  hosts: {web1: {user: root}}\n"
    assert _only(load(text)).user == "root"
    assert _only(load(text.replace("root", "'{{ me }}'"), Overrides(user="ann"))).user == "ann"


def test_every_override_beats_the_inventory_and_says_which_option_it_was(load: Load) -> None:
    text = """\
        all:
          hosts:
            web1:
              user: u
              port: 1
              private_key: k
              known_hosts: f
              host_keys: strict
              connect_timeout: 1
              command_timeout: 1
        """
    given = {
        "user": "root",
        "port": 2222,
        "private_key": "id",
        "known_hosts": ("a", "b"),
        "host_keys": HostKeyPolicy.ACCEPT_NEW,
        "connect_timeout_s": 2.5,
        "command_timeout_s": 60.0,
    }
    host = _only(load(text, Overrides(**given)))  # type: ignore[arg-type]
    assert {name: getattr(host, name) for name in given} == given
    assert {name: host.sources[name] for name in given} == {
        "user": "--user",
        "port": "--port",
        "private_key": "--private-key",
        "known_hosts": "--known-hosts",
        "host_keys": "--host-keys",
        "connect_timeout_s": "--connect-timeout",
        "command_timeout_s": "--command-timeout",
    }


def test_a_host_of_which_nothing_is_said_has_every_default(load: Load) -> None:
    host = _only(load("web:\n  hosts:\n    web1:\n"))
    assert host == Host(name="web1", groups=("web",))
    assert host.known_hosts == DEFAULT_KNOWN_HOSTS
    assert host.sources["name"] == "hosts.yaml:3"
    assert {place for name, place in host.sources.items() if name != "name"} == {"default"}


def test_sources_name_every_setting_of_a_host(load: Load) -> None:
    host = _only(load("all: {hosts: web1}\n"))
    settings = set(Host.__dataclass_fields__) - {"groups", "vars", "sources"}
    assert set(host.sources) == settings
