"""Waiting until a descriptor is ready, with `poll` and with `select`."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fleetrun import readiness
from fleetrun.readiness import wait_ready

if sys.platform != "win32":
    import fcntl
    import resource

FIRST_HIGH = 1024
"""The first descriptor that `select` cannot take."""


@pytest.fixture(params=["poll", "select"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait in each of the two ways."""
    if request.param == "poll" and not readiness._HAS_POLL:
        pytest.skip("no poll on this system")
    monkeypatch.setattr(readiness, "_HAS_POLL", request.param == "poll")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.mark.usefixtures("_way")
def test_nothing_is_ready_until_something_comes(pair: Pair) -> None:
    ours, theirs = pair
    assert wait_ready([ours.fileno()], timeout_s=0) == set()
    theirs.send(b"x")
    assert wait_ready([ours.fileno()], timeout_s=None) == {ours.fileno()}


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("timeout_s", [-5.0, 0.0, 0.001], ids=["over", "now", "soon"])
def test_waiting_in_vain_returns_nothing(pair: Pair, timeout_s: float) -> None:
    assert wait_ready([pair[0].fileno()], timeout_s=timeout_s) == set()


@pytest.mark.usefixtures("_way")
def test_room_to_write_is_told_for_writers_alone(pair: Pair) -> None:
    ours, theirs = (end.fileno() for end in pair)
    assert wait_ready([ours], [theirs], timeout_s=30) == {theirs}


@pytest.mark.usefixtures("_way")
def test_a_descriptor_may_wait_for_both(pair: Pair) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while ours.send(bytes(1 << 16)):
            pass
    assert wait_ready([ours.fileno()], [ours.fileno()], timeout_s=0) == set()
    theirs.send(b"x")
    assert wait_ready([ours.fileno()], [ours.fileno()], timeout_s=30) == {ours.fileno()}


@pytest.mark.usefixtures("_way")
def test_the_end_of_a_stream_is_something_to_read(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    assert wait_ready([ours.fileno()], timeout_s=30) == {ours.fileno()}


@pytest.mark.usefixtures("_way")
def test_several_may_be_ready_at_once(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(b"x")
    theirs.send(b"x")
    both = {ours.fileno(), theirs.fileno()}
    assert wait_ready([ours.fileno(), theirs.fileno()], timeout_s=30) == both


def test_a_month_is_not_too_long(pair: Pair) -> None:
    """`poll` takes milliseconds in 31 bits: 24 days."""
    ours, theirs = pair
    theirs.send(b"x")
    assert wait_ready([ours.fileno()], timeout_s=31 * 86400.0) == {ours.fileno()}


@pytest.mark.skipif(sys.platform == "win32", reason="no such bound there")
def test_descriptors_that_select_cannot_take_are_waited_for(pair: Pair) -> None:
    ours, theirs = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= FIRST_HIGH:
        pytest.skip(f"this account may open {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FIRST_HIGH + 100), hard))
    try:
        high = socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, FIRST_HIGH))
        with high:
            assert high.fileno() >= FIRST_HIGH
            assert wait_ready([high.fileno()], timeout_s=0) == set()
            theirs.send(b"x")
            assert wait_ready([high.fileno()], timeout_s=30) == {high.fileno()}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
