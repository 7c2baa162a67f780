"""Hosts listed on the spot, by the command line or the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetrun.errors import InventoryError
from fleetrun.hosts import Host
from fleetrun.inventory import Inventory, Overrides

WRITTEN = {
    "web1": Host(name="web1"),
    "root@web1": Host(name="web1", user="root"),
    "web1:2222": Host(name="web1", port=2222),
    "root@web1:2222": Host(name="web1", port=2222, user="root"),
    "192.0.2.1:2222": Host(name="192.0.2.1", port=2222),
    "::1": Host(name="::1"),
    "root@::1": Host(name="::1", user="root"),
    "[::1]": Host(name="::1"),
    "[::1]:2222": Host(name="::1", port=2222),
    "root@[fe80::1%eth0]:2222": Host(name="fe80::1%eth0", port=2222, user="root"),
    "a@b@web1": Host(name="web1", user="a@b"),
}


def _connection(host: Host) -> tuple[object, ...]:
    return (host.name, host.address, host.port, host.user)


@pytest.mark.parametrize(("text", "meant"), WRITTEN.items(), ids=WRITTEN)
def test_a_host_in_one_word(text: str, meant: Host) -> None:
    (of,) = Inventory.of([text]).hosts
    (loaded,) = Inventory.load(f"{text},").hosts
    assert _connection(of) == _connection(loaded) == _connection(meant)


@pytest.mark.parametrize("text", ["a,b", "a,b,", ",a,,b", " a , b ", "a,b,a"])
def test_commas_separate_and_what_is_empty_or_repeated_is_left_out(text: str) -> None:
    inventory = Inventory.load(text)
    assert [host.name for host in inventory.hosts] == ["a", "b"]
    assert inventory.groups == {"all": ("a", "b"), "ungrouped": ("a", "b")}


def test_hosts_that_share_a_name_are_called_as_they_were_written() -> None:
    inventory = Inventory.load("lab:2201,root@lab:2202,web1:2203")
    assert [_connection(host)[:3] for host in inventory.hosts] == [
        ("lab:2201", "lab", 2201),
        ("root@lab:2202", "lab", 2202),
        ("web1", "web1", 2203),
    ]


def test_values_come_from_where_they_were_written() -> None:
    (host,) = Inventory.load("root@web1:2222,", overrides=Overrides(port=22)).hosts
    assert (host.sources["user"], host.sources["port"]) == ("-i", "--port")
    (host,) = Inventory.of(["root@web1"]).hosts
    assert (host.sources["name"], host.sources["user"]) == ("host list", "host list")
    assert host.sources["port"] == "default"


MISTAKES = {
    "web1:0": "the port '0' is not a whole number from 1 to 65535",
    "web1:": "the port '' is not a whole number from 1 to 65535",
    "web1:ssh": "the port 'ssh' is not a whole number from 1 to 65535",
    "[::1]:0": "the port '0' is not a whole number from 1 to 65535",
    "web1:22:23": "'web1:22:23' is neither NAME:PORT nor an IPv6 address",
    "@web1": "the user is empty",
    "root@": "the host name is empty",
    ":22": "the host name is empty",
    "a;b": "the host name 'a;b' has ';' in it, which is not allowed",
    "-oProxyCommand=id": "the host name '-oProxyCommand=id' begins with '-', as an option does",
    "-l@web1": "the user '-l' begins with '-', as an option does",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_names_the_host_it_is_in(text: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory.load(f"web9,{text}")
    assert str(caught.value) == f"-i: {text!r}: {message}"


@pytest.mark.parametrize("text", [",", " , "])
def test_a_list_without_a_host_is_an_error(text: str) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory.load(text)
    assert str(caught.value) == f"{text}: there is no host in it"


def test_no_names_at_all_are_an_error() -> None:
    with pytest.raises(InventoryError, match=r"^host list: there is no host in it$"):
        Inventory.of([])


def test_text_is_not_taken_for_a_list_of_one_letter_hosts() -> None:
    with pytest.raises(InventoryError, match="'web1' is one name; give a list of them"):
        Inventory.of("web1")


def test_a_path_is_a_file_even_with_a_comma_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a,b.yaml"
    path.write_text("all: {hosts: web1}\n")
    assert [host.name for host in Inventory.load(path).hosts] == ["web1"]


OVERRIDES = {
    "--port": ({"port": 0}, "0 is not between 1 and 65535"),
    "--user": ({"user": "a b"}, "the user 'a b' has ' ' in it, which is not allowed"),
    "--connect-timeout": ({"connect_timeout_s": 0.0}, "0.0 is not a positive number of seconds"),
    "--command-timeout": (
        {"command_timeout_s": float("inf")},
        "inf is not a positive number of seconds",
    ),
}


@pytest.mark.parametrize("option", OVERRIDES)
def test_an_override_that_cannot_be_used_names_its_option(option: str) -> None:
    given, message = OVERRIDES[option]
    with pytest.raises(InventoryError) as caught:
        Overrides(**given)  # type: ignore[arg-type]
    assert str(caught.value) == f"{option}: {message}"
