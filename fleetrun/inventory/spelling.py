"""Names that were probably meant to be others: what a slip of the keyboard makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os.path import commonprefix

_MANY = 2_000
"""Above this, only names that are one slip away are looked at: likeness is slow to measure."""


def one_slip(one: str, other: str) -> bool:
    """Whether one letter was added, left out or replaced, or two neighbours were swapped."""
    one, other = _differing(one, other)
    return max(len(one), len(other)) <= 1 or two_swapped(one, other)


def two_swapped(one: str, other: str) -> bool:
    """Whether two neighbouring letters were swapped, and nothing else."""
    one, other = _differing(one, other)
    return len(one) == 2 and one == other[::-1]  # noqa: PLR2004 (two is what the name says)


def advice(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean web1 or web2?`, or nothing when no name is like the word."""
    candidates = list(names)
    if len(candidates) > _MANY:
        length = len(word)
        alike = (name for name in candidates if -1 <= len(name) - length <= 1)
        candidates = [name for name in alike if one_slip(word, name)]
    near = get_close_matches(word, candidates)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _differing(one: str, other: str) -> tuple[str, str]:
    """Cut off what the two begin with alike, then what they end with alike."""
    one, other = _without_common_start(one, other)
    one, other = _without_common_start(one[::-1], other[::-1])
    return one[::-1], other[::-1]


def _without_common_start(one: str, other: str) -> tuple[str, str]:
    start = len(commonprefix([one, other]))  # noqa: RUF071 (of letters is what is meant)
    return one[start:], other[start:]
