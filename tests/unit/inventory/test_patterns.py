"""Which hosts `--limit` selects."""

from __future__ import annotations

from pathlib import Path

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
    "db": ["db"],  # the host comes before the group of that name
    "db:!db": ["db"],  # but what is left out, or left, is the group
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
    "web[0]": ["web1"],
    "web[-1]": ["web10"],
    "web[1:2]": ["web2", "web3"],
    "web[2:]": ["web3", "web10"],
    "web[1:99]": ["web2", "web3", "web10"],
    "db[0]": ["db1"],  # of the group; its hosts are counted level by level
    "web[-1],db[0]": ["web10", "db1"],
    "web:!web[0]": ["web2", "web3", "web10"],
    "web*[0]": ["web1"],
    "web[1-3]": ["web1", "web2", "web3"],
    "web[1-2,10]": ["web1", "web2", "web10"],
    "db[1-2],!db[2-2]": ["db1"],
    "[a-d]b1": ["db1"],
    "web[!1]": ["web2", "web3"],
    "web[12]*": WEB[:2] + WEB[3:],
    "2001:db8::1": ["2001:db8::1"],
    "[2001:db8::1]": ["2001:db8::1"],
    "2001:db8::[1-1]": ["2001:db8::1"],
    "2001:db8::1,web1": ["web1", "2001:db8::1"],
    "six,!2001:db8::1": ["fe80::1%eth0"],
    "six:![2001:db8::1]": ["fe80::1%eth0"],
    "fe80::1%eth0": ["fe80::1%eth0"],
    "six:!2001:db8::1": ["fe80::1%eth0"],
    "six:&2001:db8::1": ["2001:db8::1"],
    "web1:2001:db8::1:web2": ["web1", "web2", "2001:db8::1"],
    "2001:db8::1:db": ["2001:db8::1", "db"],  # an address too, but not one that is there
    "fe80::1%eth0:![2001:db8::1]:web1": ["web1", "fe80::1%eth0"],
    "six:!2001:db8::[1-1]": ["fe80::1%eth0"],
    "web::web1": WEB,
    "w[ae]b[12]*": WEB[:2] + WEB[3:],
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
    "web[4]": "'web[4]' is not there: 'web' has 4 hosts",
    "web[-5]": "'web[-5]' is not there: 'web' has 4 hosts",
    "web1[1]": "'web1[1]' is not there: 'web1' has 1 host",
    "idle[0]": "'idle[0]' is not there: 'idle' has 0 hosts",
    "web[7:9]": "'web[7:9]' leaves no host",
    "mail[1-3]": "'mail1' is no host or group",
    "mail[3-1]": "the range '3-1' in 'mail[3-1]' begins after its end",
    "mail[1-9999999]": "'mail[1-9999999]' stands for more than 1,000,000 names",
    "@nowhere": "@nowhere: there is no such file",
}


@pytest.mark.parametrize(("limit", "message"), REFUSALS.items(), ids=map(repr, REFUSALS))
def test_a_pattern_that_selects_nothing_is_an_error(
    inventory: Inventory, limit: str, message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.select(limit)
    assert str(caught.value).startswith(f"--limit: {message}")
    assert str(caught.value.source).startswith("--limit")


def test_digits_in_brackets_are_any_of_them_but_at_the_end_a_number() -> None:
    inventory = Inventory.of(["web1.example", "web2.example", "web12.example", "db1", "db12"])
    assert inventory.matching("web[12].example") == ("web1.example", "web2.example")
    assert inventory.matching("web[1-2].example") == ("web1.example", "web2.example")
    assert inventory.matching("web[12,12].example") == ("web12.example",)
    assert inventory.matching("db[12]") == ("db12",)


def test_hosts_with_a_port_in_their_name_are_selected_whole() -> None:
    inventory = Inventory.of(["lab:2201", "lab:2202"])
    assert [host.name for host in inventory.select("lab:2202")] == ["lab:2202"]
    assert inventory.matching("all:!lab:2202") == ("lab:2201",)
    assert inventory.matching("lab:2201:lab:2202") == ("lab:2201", "lab:2202")
    assert [host.name for host in inventory.select("all,!lab:2202")] == ["lab:2201"]


def test_patterns_may_stand_in_files(tmp_path: Path, inventory: Inventory) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text(f"# the first\nweb1\n\n  web2,db1  \n@{two}\n")
    two.write_text("db2\n!web2\n")
    assert inventory.matching(f"@{one}") == ("web1", "db1", "db2")
    assert inventory.matching(f"@{one},web10") == ("web1", "web10", "db1", "db2")
    assert inventory.matching(f"all,!@{one},!six") == ("web2", "web3", "web10", "db")
    assert inventory.matching(f"web,&@{one}") == ("web1",)


def test_files_of_patterns_that_name_each_other_end(tmp_path: Path, inventory: Inventory) -> None:
    (tmp_path / "one").write_text(f"@{tmp_path}/one\n")
    for pattern in (f"@{tmp_path}/one", f"all,!@{tmp_path}/one"):
        with pytest.raises(InventoryError, match="name each other more than 16 levels deep"):
            inventory.matching(pattern)


def test_a_file_of_no_patterns_is_an_error(tmp_path: Path, inventory: Inventory) -> None:
    (tmp_path / "one").write_text("# nothing\n")
    with pytest.raises(InventoryError, match="the pattern is empty"):
        inventory.matching(f"@{tmp_path}/one")


def test_a_file_may_name_many_of_many_hosts(tmp_path: Path) -> None:
    """Each used to cost a copy of all that was selected, which took longer than a test may."""
    (tmp_path / "done").write_text("".join(f"web{number:05}\n" for number in range(40_000)))
    inventory = Inventory.of(["web[00000-99999]"])
    assert len(inventory.matching(f"@{tmp_path}/done")) == 40_000
    assert len(inventory.matching(f"all,!@{tmp_path}/done")) == 60_000
    left_out = ",".join(f"!web{number:05}" for number in range(40_000))
    assert len(inventory.matching(left_out)) == 60_000
