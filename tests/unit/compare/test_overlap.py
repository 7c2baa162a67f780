from __future__ import annotations

from itertools import permutations

import pytest

from fleetrun.compare.overlap import Span, mean_overlap, peak_overlap


@pytest.mark.parametrize(
    ("spans", "peak"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([(0, 1)], 1, id="one"),
        pytest.param([(0, 1), (2, 3)], 1, id="one after the other"),
        pytest.param([(0, 1), (1, 2), (2, 3)], 1, id="one ends as the next begins"),
        pytest.param([(0, 2), (1, 3)], 2, id="two share a moment"),
        pytest.param([(0, 9), (1, 2), (3, 4)], 2, id="one outlasts two"),
        pytest.param([(0, 2), (1, 4), (3, 5)], 2, id="a chain"),
        pytest.param([(0, 5), (1, 5), (2, 5)], 3, id="they end together"),
        pytest.param([(0, 3), (0, 4), (0, 5)], 3, id="they begin together"),
        pytest.param([(0, 2), (1, 2), (2, 3), (2, 4)], 2, id="all replaced at one moment"),
        pytest.param([(0, 0), (0, 0), (0, 0)], 1, id="too short for the clock"),
        pytest.param([(0, 2), (1, 1)], 2, id="too short for the clock, within another"),
    ],
)
def test_the_peak_is_the_most_that_share_a_moment_whatever_their_order(
    spans: list[Span], peak: int
) -> None:
    assert {peak_overlap(order) for order in permutations(spans)} == {peak}


def test_the_mean_is_over_the_whole_time_also_that_in_which_nothing_went_on() -> None:
    assert mean_overlap([(0, 2), (1, 3)], seconds=4) == 1.0
    assert mean_overlap([], seconds=4) == 0.0
    assert mean_overlap([(0, 0)], seconds=0) == 0.0
