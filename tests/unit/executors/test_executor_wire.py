"""Frames between a supervisor and a worker."""

from __future__ import annotations

import pytest

from fleetrun.errors import FleetrunError
from fleetrun.executors.wire import CancelAll, Ready, Unpacker, pack


@pytest.mark.parametrize("piece_bytes", [1, 7, 8, 9, 100, 10_000])
def test_things_arrive_in_order_wherever_the_pieces_end(piece_bytes: int) -> None:
    sent: list[list[object]] = [
        [CancelAll(), Ready(width=3, clock="a", at_s=1.5)],
        [],
        [b"x" * 1000],
        ["last"],
    ]
    stream = b"".join(pack(things) for things in sent)
    unpacker = Unpacker()
    got = [
        thing
        for start in range(0, len(stream), piece_bytes)
        for thing in unpacker.feed(stream[start : start + piece_bytes])
    ]
    assert got == [CancelAll(), Ready(width=3, clock="a", at_s=1.5), b"x" * 1000, "last"]


def test_an_unfinished_frame_yields_nothing() -> None:
    assert list(Unpacker().feed(pack(["cut"])[:-1])) == []


def test_what_cannot_be_pickled_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(FleetrunError, match="use a mode without worker processes"):
        pack([lambda: None])
