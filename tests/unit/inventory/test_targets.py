"""Which hosts of an inventory are meant: the parts of `Targets` together."""

from __future__ import annotations

import pytest

from fleetrun.errors import InventoryError, UsageError
from fleetrun.inventory import Inventory, Targets

FLEET = Inventory.of(["web[1-20]", "db[1-3]"])


def test_text_is_short_for_a_limit() -> None:
    assert FLEET.matching("db*") == FLEET.matching(Targets(limit="db*")) == ("db1", "db2", "db3")
    assert [host.name for host in FLEET.select("db*")] == ["db1", "db2", "db3"]


def test_every_part_leaves_fewer_hosts_in_the_inventorys_order() -> None:
    targets = Targets(
        hosts="db*,web[1-9]", limit="~.*[1-4]$", exclude="web[1-2]", where="name!=db1"
    )
    assert FLEET.matching(targets) == ("web3", "web4", "db2", "db3")


def test_the_pick_is_made_of_what_the_other_parts_leave() -> None:
    picks = {FLEET.matching(Targets(limit="db*", pick=2, seed=seed)) for seed in range(30)}
    assert picks == {("db1", "db2"), ("db1", "db3"), ("db2", "db3")}
    assert FLEET.matching(Targets(limit="db*", pick=9)) == ("db1", "db2", "db3")


def test_a_seed_makes_the_same_pick_again() -> None:
    assert len({FLEET.matching(Targets(pick=3, seed=7)) for _ in range(5)}) == 1
    assert len({FLEET.matching(Targets(pick=3)) for _ in range(50)}) > 1


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"hosts": "web*", "limit": "db*"}, "--limit: 'db*' leaves no host"),
        ({"limit": "db*", "exclude": "db*"}, "--exclude: 'db*' leaves no host"),
        ({"exclude": "dbb1"}, "--exclude: 'dbb1' is no host or group; did you mean db1"),
    ],
)
def test_a_part_that_leaves_nothing_is_an_error_that_names_it(
    parts: dict[str, str], message: str
) -> None:
    with pytest.raises(InventoryError) as caught:
        FLEET.matching(Targets(**parts))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("parts", [{"pick": 0}, {"pick": -1}, {"seed": 1}])
def test_a_part_that_cannot_be_is_refused(parts: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Targets(**parts)  # type: ignore[arg-type]


def test_the_nearest_names_are_found_among_very_many() -> None:
    many = Inventory.of(["web[00001-20000]"])
    with pytest.raises(InventoryError, match=r"did you mean web00017\?$"):
        many.matching("wbe00017")
