from __future__ import annotations

import click
import pytest

from fleetrun.cli.duration import delay, timeout


@pytest.mark.parametrize(
    ("spelling", "seconds"),
    [
        ("10", 10.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("50ms", 0.05),
        ("2s", 2.0),
        ("1m", 60.0),
        ("1.5h", 5400.0),
    ],
)
def test_a_time_has_a_number_and_maybe_a_unit(spelling: str, seconds: float) -> None:
    assert delay(spelling) == timeout(spelling) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "spelling", ["", "ms", "-1", "1 s", "1d", "1S", "1e3", "inf", "nan", "5ms2s", "٣", "1."]
)
def test_anything_else_is_refused_in_one_sentence(spelling: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time such as"):
        timeout(spelling)


def test_a_delay_may_be_zero_and_a_timeout_may_not() -> None:
    assert delay("0ms") == 0.0
    with pytest.raises(click.BadParameter, match="zero"):
        timeout("0ms")
