"""Keeping what a command writes: all of it, or its head and tail."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetrun.operations import Capture


@given(
    pieces=st.lists(st.binary(max_size=20), max_size=20),
    limit=st.integers(min_value=0, max_value=64),
)
@settings(deadline=None, derandomize=True, database=None)
def test_what_is_kept_is_all_of_it_or_the_first_and_last_halves_of_the_limit(
    pieces: list[bytes], limit: int
) -> None:
    capture = Capture(limit)
    for piece in pieces:
        capture.add(piece)
    stream = b"".join(pieces)
    head, tail = limit - limit // 2, limit // 2
    kept = stream if len(stream) <= limit else stream[:head] + stream[len(stream) - tail :]
    assert capture.kept == kept
    assert capture.total_bytes == len(stream)


@pytest.mark.parametrize("piece_bytes", [1, 1000, 32_768])
def test_memory_stays_within_twice_the_limit_however_much_there_is(piece_bytes: int) -> None:
    limit = 10_000
    capture = Capture(limit)
    for number in range(2000):
        capture.add(bytes([number % 256]) * piece_bytes)
        assert sys.getsizeof(capture._head) + sys.getsizeof(capture._tail) <= (
            2 * limit + 2 * piece_bytes + 1000
        )
    assert capture.total_bytes == 2000 * piece_bytes


def test_looking_changes_nothing() -> None:
    capture = Capture(4)
    capture.add(b"0123456789")
    assert capture.kept == capture.kept == b"0189"
    capture.add(b"ab")
    assert capture.kept == b"01ab"
