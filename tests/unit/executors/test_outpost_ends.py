"""How a line to an outpost ends, and when what is known of its worker process is all there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from outpost_world import PATIENCE_S, Once, line_in, surely, until_end, world

from fleetrun.executors.cluster import line as line_module
from fleetrun.executors.cluster.outpost import Outpost


def eventually(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_when_the_worker_process_ends_by_itself_all_that_it_said_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world(monkeypatch) as there:
        line = line_in(there)
        there.process.socket.sendall(b"last words")
        there.process.socket.close()
        assert until_end(line) == b"last words"
        assert line.is_exact
        line.hang_up()
        assert line.wait() == "exit status 0"


def test_when_the_outpost_hangs_up_what_lies_in_the_socket_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it does when it has heard nothing for as long as its lease, and is heard of again."""
    with world(monkeypatch) as there:
        line = line_in(there)
        eventually(lambda: there.outpost is not None)

        def say_and_close() -> None:
            there.process.socket.sendall(b"unread")
            assert there.outpost is not None
            there.outpost._close()

        there.in_loop(say_and_close)
        assert until_end(line) == b""
        assert not line.is_exact
        line.hang_up()
        line.wait()


def test_when_the_loop_of_the_client_ends_nothing_is_known_for_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world(monkeypatch) as there:
        line = line_in(there)
        there.process.socket.sendall(b"words")
        eventually(lambda: there.outpost is not None)
        line._work.cancel()
        until_end(line)
        assert not line.is_exact
        line.hang_up()
        line.wait()


def test_a_killed_worker_whose_words_do_not_come_through_in_time_is_not_known_for_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "_KILL_BOUND_S", 0.2)
    held = threading.Event()

    async def way(method: str, once: Once) -> object:
        if method == "get" and held.is_set():
            raise OSError("no answer")
        return await surely(method, once)

    with world(monkeypatch, way) as there:
        line = line_in(there)
        there.process.socket.sendall(b"words")
        assert line_says(line) == b"words"
        held.set()
        there.process.socket.sendall(b"more")
        line.kill()
        assert until_end(line) == b""
        assert there.process.killed
        assert not line.is_exact
        line.hang_up()
        assert "could not be asked" in line.wait()


def line_says(line: line_module.OutpostLine) -> bytes:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            return line.receive()
        except BlockingIOError:
            time.sleep(0.001)
    raise AssertionError("it says nothing")


def test_time_in_which_the_dask_worker_stood_still_does_not_count_against_the_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was said to it meanwhile lies in its sockets, and is heard only after its clock."""
    lease_s = 0.5
    with world(monkeypatch) as there:
        there.submit(Outpost, "threads", lease_s, key="k")
        outpost = there.outpost
        assert outpost is not None
        there.in_loop(lambda: None)
        there.in_loop(lambda: time.sleep(2 * lease_s))
        there.in_loop(lambda: None)
        assert outpost._ended is None
        eventually(lambda: outpost._ended is not None)  # it goes on to count


def test_an_outpost_that_nobody_can_call_any_more_ends_its_worker_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world(monkeypatch) as there:
        there.submit(Outpost, "threads", 3600.0, key="k")
        outpost = there.outpost
        assert outpost is not None
        eventually(lambda: outpost._was_held)
        there.actors.clear()  # as when the client is gone
        assert there.process.socket.recv(1) == b""


def test_an_outpost_that_is_made_after_its_line_was_hung_up_ends_its_worker_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with world(monkeypatch) as there:
        there.may_be_made.clear()
        line = line_in(there, lease_s=3600.0)
        eventually(lambda: there.outpost is not None)
        line.hang_up()
        there.may_be_made.set()
        assert there.process.socket.recv(1) == b""
        line.wait()
