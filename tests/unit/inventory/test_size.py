"""What a large inventory costs in memory, beside its own variables; `benchmarks/` has the time."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetrun.inventory import Inventory

HOSTS = 3000
MAX_BYTES = 1000


@pytest.fixture
def traced() -> Callable[[], int]:
    """Return a function that returns the bytes that are kept since the test began."""
    if sys.gettrace() is not None:
        pytest.skip("a debugger or coverage keeps memory of its own")

    def kept() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    return kept


@pytest.mark.long
@pytest.mark.parametrize("config", ["", "Host *\n User bob\n Port 2222\n IdentityFile ~/.ssh/k\n"])
def test_a_host_costs_less_than_a_kilobyte_however_much_it_inherits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traced: Callable[[], int], config: str
) -> None:
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text(config)
    monkeypatch.setenv("FLEETRUN_SSH_CONFIG", str(ssh_config))
    shared = ", ".join(f"variable_{number}: value {number}" for number in range(50))
    path = tmp_path / "hosts.yaml"
    path.write_text(
        f"web:\n  vars: {{user: deploy, {shared}}}\n  hosts:\n"
        + "".join(f"    web{number:05}:\n" for number in range(HOSTS))
    )
    Inventory.load(path).select()  # what is loaded and cached once
    tracemalloc.start()
    try:
        before = traced()
        inventory = Inventory.load(path)
        hosts = inventory.select()
        kept = traced() - before
    finally:
        tracemalloc.stop()
    assert hosts[-1].vars["variable_49"] == "value 49"
    assert kept / HOSTS < MAX_BYTES


def test_hosts_of_the_same_groups_share_what_they_inherit() -> None:
    one, two = Inventory.of(["web1", "web2"]).hosts
    assert one.groups is two.groups
    assert one.known_hosts is two.known_hosts
