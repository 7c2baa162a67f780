"""Distance, on a clock that the test winds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from fleetrun.lab.delay import Direction, FarProtocol

RTT_S = 1.0


class Clock:
    """As much of an event loop as distance needs; `run` makes time pass until nothing is due."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        self.timers.append((when, callback))

    def run(self, until: float = float("inf")) -> None:
        while self.timers and min(self.timers, key=lambda timer: timer[0])[0] <= until:
            timer = min(self.timers, key=lambda timer: timer[0])
            self.timers.remove(timer)
            self.now = max(self.now, timer[0])
            timer[1]()


class Diary:
    """Both ends of a connection, writing down what happens to them and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.entries: list[tuple[float, str]] = []

    def note(self, what: str) -> None:
        self.entries.append((self.clock.now, what))


class Server(asyncio.Protocol):
    def __init__(self, diary: Diary, *, stays_at_eof: bool = False) -> None:
        self.diary = diary
        self.stays_at_eof = stays_at_eof
        self.transport = asyncio.Transport()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.diary.note("server: connected")

    def data_received(self, data: bytes) -> None:
        self.diary.note(f"server: got {data.decode()}")

    def eof_received(self) -> bool:
        self.diary.note("server: end")
        return self.stays_at_eof

    def connection_lost(self, exc: Exception | None) -> None:
        self.diary.note(f"server: lost {exc}")


class NearTransport(asyncio.Transport):
    def __init__(self, diary: Diary) -> None:
        super().__init__(extra={"peername": ("127.0.0.1", 4242)})
        self.diary = diary

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.diary.note(f"client: got {bytes(data).decode()}")

    def close(self) -> None:
        self.diary.note("client: closed")


class Connection:
    """A connection that was accepted at the time 0, with a server that is far away."""

    def __init__(self, *, stays_at_eof: bool = False) -> None:
        self.clock = Clock()
        self.diary = Diary(self.clock)
        self.server = Server(self.diary, stays_at_eof=stays_at_eof)
        loop = cast("asyncio.AbstractEventLoop", self.clock)
        self.client = FarProtocol(loop, self.server, RTT_S)
        self.client.connection_made(NearTransport(self.diary))


@pytest.fixture
def connection() -> Connection:
    """Return a connection on which both ends have shaken hands."""
    made = Connection()
    made.clock.run()
    made.diary.entries.clear()
    made.clock.now = 10.0
    return made


def test_the_server_hears_of_its_connection_after_tcps_three_way_handshake() -> None:
    made = Connection()
    made.clock.run()
    assert made.diary.entries == [(1.5, "server: connected")]


def test_what_a_hasty_client_sends_is_read_after_the_handshake() -> None:
    made = Connection()
    made.client.data_received(b"hello")
    made.clock.run()
    assert made.diary.entries == [(1.5, "server: connected"), (1.5, "server: got hello")]


def test_each_direction_takes_half_a_round_trip(connection: Connection) -> None:
    connection.client.data_received(b"ping")
    connection.server.transport.write(b"pong")
    connection.clock.run()
    assert sorted(connection.diary.entries) == [
        (10.5, "client: got pong"),
        (10.5, "server: got ping"),
    ]


def test_bytes_arrive_in_the_order_of_sending_and_each_in_its_own_time(
    connection: Connection,
) -> None:
    connection.client.data_received(b"1")
    connection.client.data_received(b"2")
    connection.clock.now = 10.25
    connection.client.data_received(b"3")
    connection.clock.run()
    assert connection.diary.entries == [
        (10.5, "server: got 1"),
        (10.5, "server: got 2"),
        (10.75, "server: got 3"),
    ]


def test_distance_costs_time_and_not_throughput(connection: Connection) -> None:
    for number in range(1000):
        connection.server.transport.write(str(number).encode())
    connection.clock.run()
    assert connection.diary.entries == [(10.5, f"client: got {n}") for n in range(1000)]


def test_what_is_changed_after_it_was_written_arrives_as_it_was(connection: Connection) -> None:
    reused = bytearray(b"before")
    connection.server.transport.write(reused)
    reused[:] = b"after!"
    connection.clock.run()
    assert connection.diary.entries == [(10.5, "client: got before")]


@pytest.mark.parametrize("ending", ["close", "abort"])
def test_closing_happens_once_and_after_what_was_written(
    connection: Connection, ending: str
) -> None:
    far = connection.server.transport
    far.write(b"goodbye")
    getattr(far, ending)()
    getattr(far, ending)()
    far.write(b"never")
    assert far.is_closing()
    connection.clock.run()
    assert connection.diary.entries == [(10.5, "client: got goodbye"), (10.5, "client: closed")]


def test_a_server_that_has_closed_reads_nothing_more(connection: Connection) -> None:
    connection.client.data_received(b"under way")
    connection.client.eof_received()
    connection.server.transport.close()
    connection.clock.run()
    assert connection.diary.entries == [(10.5, "client: closed")]


def test_a_server_is_told_that_the_connection_was_lost_after_what_was_sent_on_it(
    connection: Connection,
) -> None:
    connection.client.data_received(b"last")
    connection.client.connection_lost(None)
    connection.clock.run()
    assert connection.diary.entries == [(10.5, "server: got last"), (10.5, "server: lost None")]


def test_the_end_of_input_closes_the_connection_after_the_answer_under_way() -> None:
    made = Connection()
    made.clock.run()
    made.diary.entries.clear()
    made.server.transport.write(b"answer")
    assert made.client.eof_received()
    made.clock.run()
    assert [what for _, what in made.diary.entries] == [
        "client: got answer",
        "server: end",
        "client: closed",
    ]


def test_a_server_may_go_on_writing_after_the_end_of_input() -> None:
    made = Connection(stays_at_eof=True)
    made.clock.run()
    made.client.eof_received()
    made.clock.run()
    made.server.transport.write(b"more")
    made.clock.run()
    assert made.diary.entries[-1] == (made.clock.now, "client: got more")
    assert not made.server.transport.is_closing()


def test_the_server_sees_the_real_peer(connection: Connection) -> None:
    assert connection.server.transport.get_extra_info("peername") == ("127.0.0.1", 4242)


def test_an_arrival_that_fails_does_not_stop_those_after_it() -> None:
    clock = Clock()
    arrived: list[str] = []
    direction = Direction(cast("asyncio.AbstractEventLoop", clock))
    direction.send(1.0, [].pop)
    direction.send(1.0, lambda: arrived.append("second"))
    with pytest.raises(IndexError):
        clock.run()
    clock.run()
    assert arrived == ["second"]


def test_what_is_sent_while_something_arrives_takes_its_own_time() -> None:
    clock = Clock()
    arrived: list[float] = []
    direction = Direction(cast("asyncio.AbstractEventLoop", clock))
    direction.send(1.0, lambda: direction.send(1.0, lambda: arrived.append(clock.now)))
    clock.run()
    assert arrived == [2.0]
