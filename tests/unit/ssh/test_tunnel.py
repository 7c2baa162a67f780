"""A tunnel's two ends: opening, refusals, hanging up, and data that nobody takes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from paramiko import common
from paramiko.message import Message

from fleetrun.errors import Cancelled, ConnectError, ConnectionLost, DeadlinePassed
from fleetrun.session import Cancel
from fleetrun.ssh import tunnel as tunnels
from fleetrun.ssh.channel import WINDOW_BYTES, Channel
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.tunnel import RESOURCE_SHORTAGE, Tunnel, TunnelEnd
from fleetrun.ssh.wire import Deadline

CONNECT_FAILED = 2


class FakeTransport:
    """A jump host that a test speaks for."""

    def __init__(self) -> None:
        self.in_kex = False
        self.channels: list[Channel] = []
        self.sent: list[int] = []
        self.data = b""

    def begin_channel(
        self, kind: str, take: Callable[[int, bytes], None], *fields: int | str
    ) -> Channel:
        assert (kind, fields[:2]) == ("direct-tcpip", ("10.0.0.1", 22))
        self.channels.append(Channel(self, len(self.channels), take))
        return self.channels[-1]

    def send_message(self, message: Message) -> None:
        sent = Message(message.asbytes())
        number = sent.get_byte()[0]
        self.sent.append(number)
        if number == common.MSG_CHANNEL_DATA:
            sent.get_int()
            self.data += sent.get_string()

    def pump(self) -> None:
        raise AssertionError("a tunnel never waits")

    def pump_until(self, happened: Callable[[], bool]) -> None:  # noqa: ARG002
        raise AssertionError("a tunnel never waits")

    def forget_channel(self, channel: Channel) -> None:
        pass

    def opens(self, window: int = WINDOW_BYTES) -> None:
        channel = self.channels[-1]
        channel.opened, channel.remote_id, channel.send_window = True, 7, window
        if channel.abandoned:
            channel.close()

    def refuses(self, code: int) -> None:
        self.channels[-1].refused, self.channels[-1].refusal_code = "no", code

    def writes(self, data: bytes) -> None:
        channel = self.channels[-1]
        channel.take_data(Message(build_message(0, data).asbytes()[1:]))
        channel.deliver()


class Pair:
    """A tunnel, its end, and the jump host that it goes through."""

    def __init__(self, deadline_s: float = 60.0) -> None:
        mine, theirs = socket.socketpair()
        self.host = FakeTransport()
        self.rings = self.releases = 0
        self.deadline = Deadline.after(deadline_s, "too late")
        self.tunnel = Tunnel(theirs, "10.0.0.1", 22, self.deadline)
        self.end = TunnelEnd(mine, self.tunnel, stir=self._ring, release=self._release)

    def _ring(self) -> None:
        self.rings += 1

    def _release(self) -> None:
        self.releases += 1

    def move(self, *, others: bool = False) -> None:
        self.tunnel.move(cast("Transport", self.host), others=others)

    def open(self) -> None:
        self.move()
        self.host.opens()
        self.move()

    def await_opening(self) -> None:
        cancel = Cancel()
        try:
            self.end.await_opening("b", self.deadline, cancel)
        finally:
            cancel.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.end.close()
    made.tunnel.end(None)


def test_it_is_open_once_the_jump_host_says_so(pair: Pair) -> None:
    pair.open()
    pair.await_opening()
    assert pair.tunnel.opened


def test_a_refusal_is_told_in_the_jump_hosts_words(pair: Pair) -> None:
    pair.move(others=True)
    pair.host.refuses(CONNECT_FAILED)
    pair.move(others=True)
    with pytest.raises(ConnectError, match=r"via b: it opens no way to 10\.0\.0\.1:22: no"):
        pair.await_opening()


def test_a_jump_host_without_room_is_asked_again_while_others_are_open(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "_RETRY_S", 0.0)
    for _ in range(3):
        pair.move(others=True)
        pair.host.refuses(RESOURCE_SHORTAGE)
        pair.move(others=True)
    assert len(pair.host.channels) == 3
    pair.move(others=True)
    pair.host.refuses(RESOURCE_SHORTAGE)
    pair.move(others=False)
    with pytest.raises(ConnectError, match="opens no way"):
        pair.await_opening()


def test_waiting_for_it_ends_at_the_deadline() -> None:
    pair = Pair(deadline_s=0.0)
    try:
        with pytest.raises(DeadlinePassed, match="via b: too late"):
            pair.await_opening()
    finally:
        pair.end.close()
        pair.tunnel.end(None)


def test_waiting_for_it_ends_when_the_run_is_cancelled(pair: Pair) -> None:
    cancel = Cancel()
    press = threading.Thread(target=cancel.press)
    press.start()
    with pytest.raises(Cancelled, match="via b"):
        pair.end.await_opening("b", pair.deadline, cancel)
    press.join()
    cancel.close()


def test_a_session_that_gives_up_early_leaves_no_channel_open(pair: Pair) -> None:
    pair.move()
    pair.end.close()
    pair.move()
    assert pair.tunnel.over
    pair.host.opens()
    assert pair.host.sent == [common.MSG_CHANNEL_CLOSE]


def test_what_the_session_writes_goes_as_far_as_the_window_and_the_rest_later(pair: Pair) -> None:
    pair.move()
    pair.host.opens(window=4)
    pair.move()
    pair.end.send(memoryview(b"abcdef"))
    pair.move()
    assert pair.host.data == b"abcd"
    assert pair.tunnel.stirred
    pair.host.channels[-1].send_window = 100
    pair.move()
    assert pair.host.data == b"abcdef"
    assert not pair.tunnel.stirred


def test_writing_and_hanging_up_wake_the_bastion(pair: Pair) -> None:
    pair.open()
    pair.end.send(memoryview(b"x"))
    pair.end.close()
    pair.end.close()
    assert (pair.rings, pair.releases) == (2, 1)


def test_what_the_session_does_not_take_is_not_granted_again(pair: Pair) -> None:
    pair.open()
    pair.await_opening()
    piece = bytes(32 * 1024)
    for _ in range(WINDOW_BYTES // len(piece)):
        pair.host.writes(piece)
        pair.move()
    assert pair.tunnel.writes
    assert common.MSG_CHANNEL_WINDOW_ADJUST not in pair.host.sent
    received = 0
    while received < WINDOW_BYTES:
        received += len(pair.end.recv(1 << 20))
        pair.move()
    assert common.MSG_CHANNEL_WINDOW_ADJUST in pair.host.sent
    assert not pair.tunnel.writes


def test_nothing_is_sent_while_keys_are_exchanged(pair: Pair) -> None:
    pair.open()
    pair.host.in_kex = True
    pair.end.send(memoryview(b"x"))
    pair.move()
    assert pair.host.data == b""
    pair.host.in_kex = False
    pair.move()
    assert pair.host.data == b"x"


@pytest.mark.parametrize("unread", [b"", b"written and never read"], ids=["idle", "busy"])
def test_the_reason_of_its_end_reaches_the_session(pair: Pair, unread: bytes) -> None:
    pair.open()
    pair.await_opening()
    if unread:
        pair.end.send(memoryview(unread))
    pair.tunnel.end("the jump host is gone")
    with pytest.raises(ConnectionLost, match="the jump host is gone"):
        pair.end.recv(10)


def test_the_hosts_own_end_is_an_end_and_no_error(pair: Pair) -> None:
    pair.open()
    pair.await_opening()
    pair.host.writes(b"last words")
    pair.host.channels[-1].ended = True
    pair.move()
    assert pair.end.recv(100) == b"last words"
    assert pair.end.recv(100) == b""
