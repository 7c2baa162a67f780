"""The inventory that a newcomer is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetrun.hosts import Host
from fleetrun.inventory import Inventory

EXAMPLE = Path(__file__).parents[3] / "inventory.example.yaml"


@pytest.fixture(scope="module")
def hosts() -> dict[str, Host]:
    return {host.name: host for host in Inventory.load(EXAMPLE).hosts}


def test_it_loads_with_all_its_hosts(hosts: dict[str, Host]) -> None:
    assert list(hosts) == [
        "bastion.example.com",
        "web1.example.com",
        "web2.example.com",
        "web3",
        "db1",
        "db2",
        "db3",
    ]


SETTINGS = [
    ("bastion.example.com", "user", "deploy"),
    ("bastion.example.com", "port", 22),
    ("bastion.example.com", "groups", ("ungrouped",)),
    ("web1.example.com", "port", 2222),
    ("web1.example.com", "groups", ("berlin", "web")),
    ("web1.example.com", "vars", {"site": "berlin", "rack": "022"}),
    ("web2.example.com", "port", 2223),
    ("web3", "address", "192.0.2.13"),
    ("db1", "user", "postgres"),
    ("db1", "private_key", "~/.ssh/db_ed25519"),
    ("db1", "groups", ("berlin", "db", "primary")),
    ("db1", "connect_timeout_s", 10.0),
    ("db2", "connect_timeout_s", 30.0),
    ("db3", "address", "2001:db8::23"),
]


@pytest.mark.parametrize(("host", "field", "value"), SETTINGS)
def test_it_means_what_its_comments_say(
    hosts: dict[str, Host], host: str, field: str, value: object
) -> None:
    found = getattr(hosts[host], field)
    if isinstance(value, dict):
        found = {name: found[name] for name in value}
    assert found == value


def test_the_settings_that_are_commented_out_can_be_taken_in(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    for name in ("command_timeout", "private_key", "known_hosts", "host_keys"):
        assert f"# {name}: " in text
        text = text.replace(f"# {name}: ", f"{name}: ")
    (tmp_path / "hosts.yaml").write_text(text)
    host = Inventory.load(tmp_path / "hosts.yaml").hosts[0]
    assert host.command_timeout_s == 300.0
    assert host.private_key == "~/.ssh/id_ed25519"
    assert host.known_hosts == ("~/.ssh/known_hosts",)
