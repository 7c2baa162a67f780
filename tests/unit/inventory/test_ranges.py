"""One word that stands for many hosts."""

from __future__ import annotations

import pytest

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory
from fleetrun.inventory.ranges import MAX_NAMES, expand

EXPANDED = {
    "web1": "web1",
    "web[1:3]": "web1 web2 web3",
    "web[1-3]": "web1 web2 web3",
    "web[08:11]": "web08 web09 web10 web11",
    "web[001-003]": "web001 web002 web003",
    "web[0:2]": "web0 web1 web2",
    "web[:2]": "web0 web1 web2",
    "web[1:9:4]": "web1 web5 web9",
    "web[1-9/4]": "web1 web5 web9",
    "web[1:10:4]": "web1 web5 web9",
    "web[a:c]": "weba webb webc",
    "web[a-c]": "weba webb webc",
    "web[a:e:2]": "weba webc webe",
    "web[y:B]": "weby webz webA webB",
    "web[7]": "web7",
    "web[01-02,30,a]": "web01 web02 web30 weba",
    "web[3,1-2,2:3]": "web3 web1 web2 web2 web3",
    "[1:2]web": "1web 2web",
    "r[1-2]n[a:b].x": "r1na.x r1nb.x r2na.x r2nb.x",
    "web[1:2]:22": "web1:22 web2:22",
    "10.0.0.[9:10]": "10.0.0.9 10.0.0.10",
    "2001:db8::[1:2]": "2001:db8::1 2001:db8::2",
    "[::1]": "[::1]",
    "[2001:db8::1]:22": "[2001:db8::1]:22",
    "root@web[1:2]": "root@web1 root@web2",
}


@pytest.mark.parametrize(("text", "names"), EXPANDED.items(), ids=EXPANDED)
def test_a_range_stands_for_each_of_its_names(text: str, names: str) -> None:
    assert list(expand(text)) == names.split()


@pytest.mark.parametrize(
    "text", [f"[1-{MAX_NAMES + 1}]", "[0-999999999999999999]", "[1-9999][1-9999]", "[1-9]" * 300]
)
def test_a_range_beyond_the_bound_is_refused_before_it_is_made(text: str) -> None:
    with pytest.raises(InventoryError, match="stands for more than 1,000,000 names"):
        expand(text)


def test_the_bound_itself_is_allowed() -> None:
    assert len(expand(f"[1-{MAX_NAMES}]")) == MAX_NAMES


def test_all_hosts_together_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetrun.inventory.draft.MAX_HOSTS", 5)
    assert len(Inventory.load("a[1-5],").names) == 5
    with pytest.raises(InventoryError, match=r"^-i: there are more than 5 hosts$"):
        Inventory.load("a[1-3],b[1-3]")


def test_the_hosts_of_a_range_share_its_variables() -> None:
    inventory = Inventory.of(["root@web[1-2]:2222", "db[a:b]"])
    assert [(host.name, host.user, host.port) for host in inventory.select("web*")] == [
        ("web1", "root", 2222),
        ("web2", "root", 2222),
    ]
    assert inventory.matching("db*") == ("dba", "dbb")
