"""The places for handshakes with one address."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from fleetrun.errors import Cancelled, DeadlinePassed
from fleetrun.session import Cancel
from fleetrun.ssh.gate import MAX_HANDSHAKES, Gate
from fleetrun.ssh.wire import Deadline

PATIENCE_S = 30.0
LATER = Deadline.after(None, "too slow")  # it is made long before the last test here runs
PASSED = Deadline(at_s=time.monotonic() - 1, sentence="too slow")
ADDRESS, OTHER = ("10.0.0.1", 22), ("10.0.0.1", 2222)


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    """Return a run's stop button."""
    button = Cancel()
    yield button
    button.close()


@contextlib.contextmanager
def places(gate: Gate, count: int, cancel: Cancel) -> Iterator[contextlib.ExitStack]:
    """Hold so many places at once."""
    with contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(gate.place(ADDRESS, LATER, cancel))
        yield held


def test_no_more_than_the_limit_are_held_at_once(cancel: Cancel) -> None:
    gate = Gate()
    with places(gate, MAX_HANDSHAKES, cancel), pytest.raises(DeadlinePassed, match="others were"):
        gate.place(ADDRESS, PASSED, cancel).__enter__()


def test_a_place_that_is_free_is_taken_even_at_the_deadline(cancel: Cancel) -> None:
    with Gate().place(ADDRESS, PASSED, cancel):
        pass


def test_another_port_has_places_of_its_own(cancel: Cancel) -> None:
    gate = Gate()
    with places(gate, MAX_HANDSHAKES, cancel), gate.place(OTHER, PASSED, cancel):
        pass


def test_who_waits_gets_the_place_that_is_left(cancel: Cancel) -> None:
    gate = Gate()
    entered = threading.Event()

    def wait() -> None:
        with gate.place(ADDRESS, LATER, cancel):
            entered.set()

    waiting = threading.Thread(target=wait)
    with places(gate, MAX_HANDSHAKES, cancel) as held:
        waiting.start()
        assert not entered.is_set()
        held.close()
        assert entered.wait(PATIENCE_S)
    waiting.join(PATIENCE_S)


def test_a_cancelled_run_does_not_wait(cancel: Cancel) -> None:
    gate = Gate()
    with places(gate, MAX_HANDSHAKES, cancel):
        cancel.press()
        with pytest.raises(Cancelled):
            gate.place(ADDRESS, LATER, cancel).__enter__()


def test_a_place_is_given_back_after_an_error(cancel: Cancel) -> None:
    gate = Gate()
    for _ in range(MAX_HANDSHAKES + 1):
        with contextlib.suppress(ValueError), gate.place(ADDRESS, PASSED, cancel):
            raise ValueError
    assert not gate.crowded(ADDRESS)
    assert not gate._under_way


def test_never_more_than_the_limit_go_through_among_many_threads(cancel: Cancel) -> None:
    gate = Gate()
    lock = threading.Lock()
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with gate.place(ADDRESS, LATER, cancel):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert 1 <= most <= MAX_HANDSHAKES
    assert inside == 0


@pytest.mark.parametrize(("times", "limit"), [(0, 8), (1, 4), (2, 2), (3, 1), (9, 1)], ids=str)
def test_a_busy_server_gets_half_as_many_each_time_and_one_at_least(
    times: int, limit: int, cancel: Cancel
) -> None:
    gate = Gate()
    for _ in range(times):
        gate.narrow(ADDRESS)
    with places(gate, limit, cancel), pytest.raises(DeadlinePassed):
        gate.place(ADDRESS, PASSED, cancel).__enter__()
    with places(gate, limit, cancel), gate.place(OTHER, PASSED, cancel):
        pass


def test_an_address_is_crowded_when_others_of_ours_are_there_too(cancel: Cancel) -> None:
    gate = Gate()
    assert not gate.crowded(ADDRESS)
    with gate.place(ADDRESS, LATER, cancel):
        assert not gate.crowded(ADDRESS)
        with gate.place(ADDRESS, LATER, cancel):
            assert gate.crowded(ADDRESS)
            assert not gate.crowded(OTHER)
