"""Which hosts `--limit` selects."""

from __future__ import annotations

import pytest

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    path = tmp_path_factory.mktemp("inventory") / "hosts.yaml"
    path.write_text("""\
web:
  hosts: {web1: , web2: , web3: , web10: }
db:
  children:
    primary: {hosts: {db1: }}
    replica: {hosts: {db2: , web3: }}
six:
  hosts: {"2001:db8::1": , "fe80::1%eth0": }
idle:
all:
  hosts: {db: }
""")
    return Inventory.load(path)


WEB = ["web1", "web2", "web3", "web10"]
DB = ["web3", "db1", "db2"]
SIX = ["2001:db8::1", "fe80::1%eth0"]
EVERYTHING = [*WEB, "db1", "db2", *SIX, "db"]

SELECTIONS = {
    None: EVERYTHING,
    "all": EVERYTHING,
    "*": EVERYTHING,
    "web1": ["web1"],
    "web": WEB,
    "db": DB,  # the group comes before the host of that name
    "ungrouped": ["db"],
    "web2,web1": ["web1", "web2"],
    "web2:web1": ["web1", "web2"],
    "web1, db1 ,": ["web1", "db1"],
    "web:&db": ["web3"],
    "&db:web": ["web3"],
    "web,&db": ["web3"],
    "web:!db": ["web1", "web2", "web10"],
    "!db:web": ["web1", "web2", "web10"],
    "!db": ["web1", "web2", "web10", *SIX, "db"],
    "&web": WEB,
    "web:replica:&db:!db1": ["web3", "db2"],
    "web:!web1:web1": ["web2", "web3", "web10"],
    "web:! web1": ["web2", "web3", "web10"],
    "all:!idle": EVERYTHING,
    "all:!idl*": EVERYTHING,
    "web?": ["web1", "web2", "web3"],
    "*1": ["web1", "db1", "2001:db8::1"],
    "re*": ["web3", "db2"],
    "web*:!*2": ["web1", "web3", "web10"],
    "~web[12]$": ["web1", "web2"],
    "~(web|db)1:web2": ["web1", "web2", "web10", "db1"],
    "~(?:web)1$": ["web1"],
    r"~web\d{2,3}": ["web10"],
    "2001:db8::1": ["2001:db8::1"],
    "[2001:db8::1]": ["2001:db8::1"],
    "2001:db8::1,web1": ["web1", "2001:db8::1"],
    "six,!2001:db8::1": ["fe80::1%eth0"],
    "six:![2001:db8::1]": ["fe80::1%eth0"],
    "fe80::1%eth0": ["fe80::1%eth0"],
}


@pytest.mark.parametrize(
    ("limit", "names"), SELECTIONS.items(), ids=[str(limit) for limit in SELECTIONS]
)
def test_a_pattern_selects_hosts_in_inventory_order(
    inventory: Inventory, limit: str | None, names: list[str]
) -> None:
    assert [host.name for host in inventory.select(limit)] == names


REFUSALS = {
    "": "the pattern is empty; leave the option out to mean every host",
    " ,:": "the pattern is empty; leave the option out to mean every host",
    "wbe1": "'wbe1' is no host or group; did you mean web1",
    "primray": "'primray' is no host or group; did you mean primary?",
    "nothing-like-it": "'nothing-like-it' is no host or group",
    "web1:nowhere": "'nowhere' is no host or group",
    "web:!wbe1": "'wbe1' is no host or group; did you mean web1",
    "web:&wbe1": "'wbe1' is no host or group; did you mean web1",
    "mail*": "'mail*' is no host or group",
    "~mail": "'~mail' is no host or group",
    "~eb": "'~eb' is no host or group",
    "WEB1": "'WEB1' is no host or group",
    "::2": "'::2' is no host or group",
    "web1:!web": "'web1:!web' leaves no host",
    "primary:&replica": "'primary:&replica' leaves no host",
    "idle": "'idle' leaves no host",
    "web:!": "a name belongs after '&' and '!'",
    "&": "a name belongs after '&' and '!'",
    "~web[": "'~web[' is not a regular expression: unterminated character set at position 3",
    "web[0:1]": "'web[0:1]': brackets are not read; use a glob, or ~ and a regex",
}


@pytest.mark.parametrize(("limit", "message"), REFUSALS.items(), ids=map(repr, REFUSALS))
def test_a_pattern_that_selects_nothing_is_an_error(
    inventory: Inventory, limit: str, message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.select(limit)
    assert str(caught.value).startswith(f"--limit: {message}")
    assert caught.value.source == "--limit"


def test_hosts_with_a_port_in_their_name_are_selected_whole() -> None:
    inventory = Inventory.of(["lab:2201", "lab:2202"])
    assert [host.name for host in inventory.select("lab:2202")] == ["lab:2202"]
    assert [host.name for host in inventory.select("all,!lab:2202")] == ["lab:2201"]
