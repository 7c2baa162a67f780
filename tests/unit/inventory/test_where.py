"""The language of `--where`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory, Overrides, Targets

INVENTORY = """\
all:
  vars: {empty: "", ansible_user: deploy}
  hosts:
    web1: {site: ams, roles: [web, db], disks: {sda: {size: 10}}, port: 2222, rack: 022}
    web2: {site: fra, roles: [web], text: "two words", ansible_host: 192.0.2.2}
    db1: {site: ams east, db_password: hunter2, ansible_port: "{{ p }}", x.y: z, "and": "or"}
"""

FILTERS = {
    "site=ams": "web1",
    "site==ams": "web1",
    "site = ams": "web1",
    "site='ams east'": "db1",
    'site="ams east"': "db1",
    "site!=ams": "web2 db1",
    "site~ams": "web1 db1",
    "site~^ams$": "web1",
    "site!~am": "web2",
    "site~'(ams|fra)$'": "web1 web2",
    "roles=db": "web1",
    "roles=web": "web1 web2",
    "roles!=db": "web2 db1",
    "roles~^d": "web1",
    "disks.sda.size=10": "web1",
    "disks.sda.size!=10": "web2 db1",
    "disks.sda!=10": "web1 web2 db1",
    "rack=022": "web1",
    "rack!=22": "web1 web2 db1",
    "x.y=z": "db1",
    "and=or": "db1",
    "empty=''": "web1 web2 db1",
    "name=db1": "db1",
    "name~^web": "web1 web2",
    "address=192.0.2.2": "web2",
    "address=web1": "web1",
    "port=2222": "web1",
    "port=22": "web2",
    "port!=22": "web1 db1",
    "user=deploy": "web1 web2 db1",
    "vars.port=2222": "web1",
    "vars.rack=022": "web1",
    "site=ams and roles=db": "web1",
    "site=fra or site=ams": "web1 web2",
    "site=fra or site~ams and roles=db": "web1 web2",
    "(site=fra or site~ams) and roles=db": "web1",
    "not site=ams": "web2 db1",
    "not not site=ams": "web1",
    "not site=fra and site~ams": "web1 db1",
    "not (site=fra or roles=db)": "db1",
    "NOT site=ams AND roles=web": "web2",
    "(((site=ams)))": "web1",
    "  site=ams  ": "web1",
}


@pytest.fixture
def inventory(load: Callable[..., Inventory]) -> Inventory:
    return load(INVENTORY)


@pytest.mark.parametrize(("where", "names"), FILTERS.items(), ids=[*FILTERS])
def test_a_filter_leaves_the_hosts_for_which_it_holds(
    inventory: Inventory, where: str, names: str
) -> None:
    assert list(inventory.matching(Targets(where=where))) == names.split()


def test_the_command_line_beats_what_a_filter_is_told(load: Callable[..., Inventory]) -> None:
    inventory = load(INVENTORY, Overrides(port=22, variables={"site": "here"}))
    assert len(inventory.matching(Targets(where="port=22 and site=here"))) == 3
    assert inventory.matching(Targets(where="vars.port=2222")) == ("web1",)


_ADVICE = "write NAME=VALUE, NAME!=VALUE, NAME~REGEX or NAME!~REGEX, and quote a value with spaces"
MISTAKES = {
    "": f"at character 1: the filter ends here; {_ADVICE}",
    "site": f"at character 1: 'site' was not expected; {_ADVICE}",
    "site=": f"at character 1: 'site=' was not expected; {_ADVICE}",
    "=ams": f"at character 1: '=ams' was not expected; {_ADVICE}",
    "site='ams": f'at character 1: "site=\'ams" was not expected; {_ADVICE}',
    "site=ams east": "at character 10: 'east' was not expected; 'and' or 'or' belongs before it",
    "site=ams roles=db": (
        "at character 10: 'roles=db' was not expected; 'and' or 'or' belongs before it"
    ),
    "site=ams and": f"at character 13: the filter ends here; {_ADVICE}",
    "and site=ams": f"at character 1: 'and' was not expected; {_ADVICE}",
    "(site=ams": "at character 10: the filter ends here; ')' is missing",
    "site=ams)": "at character 9: ')' was not expected; 'and' or 'or' belongs before it",
    "not": f"at character 4: the filter ends here; {_ADVICE}",
    "()": f"at character 2: ')' was not expected; {_ADVICE}",
    "site~[": (
        "at character 6: [ is not a regular expression: unterminated character set at position 0"
    ),
    "(" * 60 + "site=ams": (
        "at character 52: '(' was not expected; more than 50 brackets stand in each other"
    ),
    "stie=ams": "at character 1: no host has a variable 'stie'; did you mean site?",
    "site=ams or rols=db": "at character 13: no host has a variable 'rols'; did you mean roles?",
    "site!=ams and nothing!=x": "at character 15: no host has a variable 'nothing'",
    "disks.sdb=1": "at character 1: no host has a variable 'disks.sdb'; did you mean disks?",
    "db_password=hunter2": "'db_password' is a secret, which no filter is told",
    "site=nowhere": "'site=nowhere' leaves no host",
}


@pytest.mark.parametrize(("where", "message"), MISTAKES.items(), ids=[key[:30] for key in MISTAKES])
def test_a_mistake_is_named_with_its_character(
    inventory: Inventory, where: str, message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        inventory.matching(Targets(where=where))
    assert str(caught.value) == f"--where: {message}"
