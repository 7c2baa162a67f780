"""A part of the hosts, as it is written."""

from __future__ import annotations

import pytest

from fleetrun.errors import UsageError
from fleetrun.share import Share


@pytest.mark.parametrize(
    ("written", "hosts", "number"),
    [
        pytest.param(0, 10, 0, id="none"),
        pytest.param(5, 10, 5, id="number"),
        pytest.param("5", 3, 5, id="text"),
        pytest.param("10%", 25, 2, id="rounded-down"),
        pytest.param("100%", 7, 7, id="all"),
        pytest.param("12.5%", 16, 2, id="fraction"),
        pytest.param("0%", 7, 0, id="no-percent"),
        pytest.param(Share(50, percent=True), 7, 3, id="read-before"),
    ],
)
def test_a_share_is_a_number_or_a_percentage(
    written: Share | int | str, hosts: int, number: int
) -> None:
    assert Share.of(written).among(hosts) == number


@pytest.mark.parametrize("written", ["", "x", "-1", -1, "5.5", "101%", "%", "1e3", "٣", "1 %"])
def test_what_is_neither_is_refused(written: int | str) -> None:
    with pytest.raises(UsageError, match="no number of hosts"):
        Share.of(written)


@pytest.mark.parametrize("written", ["5", "25%", "2.5%"])
def test_a_share_is_written_as_it_was_read(written: str) -> None:
    assert str(Share.of(written)) == written
