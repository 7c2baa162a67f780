"""The proxy does what it says: the rows can be no truer than it is."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from servers import wait_until

from fleetrun.faults import Direction, FaultProxy, ScriptedServer
from fleetrun.faults.servers import Visit

ADDRESS = "127.0.0.1"
TIMEOUT_S = 10.0


def echoing(visit: Visit) -> None:
    """Say what is heard."""
    while True:
        visit.say(visit.hear())


@pytest.fixture
def target() -> Iterator[tuple[str, int]]:
    """Address of a server that says what it hears."""
    with ScriptedServer(echoing) as server:
        yield ADDRESS, server.port


@contextlib.contextmanager
def through(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection((ADDRESS, proxy.port), TIMEOUT_S) as sock:
        yield sock


def receive(sock: socket.socket, size: int) -> bytes:
    """Receive so many bytes, or fewer when the connection ends."""
    data = b""
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return data


def test_without_faults_it_forwards_and_counts(target: tuple[str, int]) -> None:
    data = bytes(range(256)) * 4096
    with FaultProxy(target) as proxy:
        for _ in range(2):
            with through(proxy) as sock:
                sender = threading.Thread(target=sock.sendall, args=(data,))
                sender.start()
                assert receive(sock, len(data)) == data
                sender.join()
    assert proxy.connections == 2
    assert proxy.bytes_to_server == proxy.bytes_to_client == 2 * len(data)


def test_it_tells_each_piece_as_it_passes(target: tuple[str, int]) -> None:
    passed: list[tuple[Direction, bytes]] = []
    with (
        FaultProxy(target, on_passed=lambda *piece: passed.append(piece)) as proxy,
        through(proxy) as sock,
    ):
        sock.sendall(b"hello")
        receive(sock, 5)
    assert passed == [(Direction.TO_SERVER, b"hello"), (Direction.TO_CLIENT, b"hello")]


def test_an_end_of_data_passes_too() -> None:
    def counting(visit: Visit) -> None:
        heard = 0
        with contextlib.suppress(Exception):
            while True:
                heard += len(visit.hear())
        visit.say(b"%d" % heard)

    with (
        ScriptedServer(counting) as server,
        FaultProxy((ADDRESS, server.port)) as proxy,
        through(proxy) as sock,
    ):
        sock.sendall(b"12345")
        sock.shutdown(socket.SHUT_WR)
        assert receive(sock, 100) == b"5"


@pytest.mark.parametrize("after_bytes", [0, 1, 7, 10])
def test_a_cut_to_the_client_lets_exactly_so_many_bytes_pass(
    target: tuple[str, int], after_bytes: int
) -> None:
    with (
        FaultProxy(target, direction=Direction.TO_CLIENT, cut_after_bytes=after_bytes) as proxy,
        through(proxy) as sock,
        contextlib.suppress(ConnectionError),
    ):
        sock.sendall(b"0123456789")
        assert receive(sock, 100) == b"0123456789"[:after_bytes]
    assert proxy.bytes_to_client == after_bytes


def test_a_cut_to_the_server_lets_exactly_so_many_bytes_pass() -> None:
    heard = bytearray()

    def listening(visit: Visit) -> None:
        while True:
            heard.extend(visit.hear())

    with (
        ScriptedServer(listening) as server,
        FaultProxy(
            (ADDRESS, server.port), direction=Direction.TO_SERVER, cut_after_bytes=4
        ) as proxy,
        through(proxy) as sock,
    ):
        sock.sendall(b"0123456789")
        with contextlib.suppress(ConnectionError):
            assert receive(sock, 1) == b""
        wait_until(lambda: len(heard) >= 4)
    assert heard == b"0123"
    assert proxy.bytes_to_server == 4


def test_both_directions_are_counted_together(target: tuple[str, int]) -> None:
    with FaultProxy(target, cut_after_bytes=8) as proxy, through(proxy) as sock:
        sock.sendall(b"01234")
        assert receive(sock, 100) == b"012"
    assert (proxy.bytes_to_server, proxy.bytes_to_client) == (5, 3)


@pytest.mark.parametrize("rst", [False, True], ids=["FIN", "RST"])
def test_a_cut_sends_what_it_is_told_to(target: tuple[str, int], *, rst: bool) -> None:
    cut = FaultProxy(target, direction=Direction.TO_CLIENT, cut_after_bytes=5, rst=rst)
    with cut as proxy, through(proxy) as sock:
        sock.sendall(b"hello")
        assert receive(sock, 5) == b"hello"
        if rst:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        else:
            assert sock.recv(1) == b""


def test_a_stall_keeps_the_connection_and_lets_nothing_pass(target: tuple[str, int]) -> None:
    stalled = FaultProxy(target, direction=Direction.TO_CLIENT, stall_after_bytes=3)
    with stalled as proxy, through(proxy) as sock:
        sock.sendall(b"hello")
        assert receive(sock, 3) == b"hel"
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)


@pytest.mark.parametrize("at", [0, 2, 4])
def test_one_byte_is_flipped(target: tuple[str, int], at: int) -> None:
    flipping = FaultProxy(target, direction=Direction.TO_CLIENT, flip_byte_at=at)
    with flipping as proxy, through(proxy) as sock:
        sock.sendall(b"\0\0")
        sock.sendall(b"\0\0\0")
        received = receive(sock, 5)
    assert received == bytes(at) + b"\1" + bytes(4 - at)


def test_bytes_are_delayed(target: tuple[str, int]) -> None:
    with FaultProxy(target, delay_s=0.2) as proxy, through(proxy) as sock:
        began_s = time.monotonic()
        sock.sendall(b"hello")
        assert receive(sock, 5) == b"hello"
        assert time.monotonic() - began_s >= 0.4


def test_a_rate_is_kept(target: tuple[str, int]) -> None:
    slow = FaultProxy(target, direction=Direction.TO_CLIENT, rate_bytes_s=100_000)
    with slow as proxy, through(proxy) as sock:
        began_s = time.monotonic()
        sock.sendall(bytes(50_000))
        assert len(receive(sock, 50_000)) == 50_000
        assert time.monotonic() - began_s >= 0.45


def test_a_test_may_stall_and_cut_when_it_likes(target: tuple[str, int]) -> None:
    with FaultProxy(target) as proxy, through(proxy) as stalled:
        stalled.sendall(b"hello")
        assert receive(stalled, 5) == b"hello"
        proxy.stall()
        with through(proxy) as later:  # which comes after the order
            later.sendall(b"hello")
            assert receive(later, 5) == b"hello"
        stalled.sendall(b"again")
        stalled.settimeout(0.3)
        with pytest.raises(TimeoutError):
            stalled.recv(1)
        proxy.cut()
        stalled.settimeout(TIMEOUT_S)
        with contextlib.suppress(ConnectionResetError):
            assert stalled.recv(1) == b""


def test_a_target_that_refuses_ends_the_connection() -> None:
    with socket.socket() as nobody:
        nobody.bind((ADDRESS, 0))
        with FaultProxy(nobody.getsockname()) as proxy, through(proxy) as sock:
            assert sock.recv(1) == b""


def test_leaving_ends_connections_that_are_open(target: tuple[str, int]) -> None:
    with contextlib.ExitStack() as outlives:
        with FaultProxy(target) as proxy:
            sock = outlives.enter_context(through(proxy))
            sock.sendall(b"hello")
            assert receive(sock, 5) == b"hello"
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
