"""One channel: its windows, its requests, its end."""

from __future__ import annotations

import pytest
from paramiko import common
from paramiko.message import Message
from scripted_host import ScriptedHost
from scripted_peer import wire_to_a_socket

from fleetrun.errors import ConnectionLost, DeadlinePassed
from fleetrun.ssh.channel import DATA_PACKET_BYTES, WINDOW_BYTES, Channel
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.transport import Transport

PIECE = b"x" * DATA_PACKET_BYTES
HALF = WINDOW_BYTES // DATA_PACKET_BYTES // 2


@pytest.fixture
def host() -> ScriptedHost:
    """Return a host that answers everything with yes."""
    return ScriptedHost()


@pytest.fixture
def taken() -> list[tuple[int, bytes]]:
    """Return what the channel has handed over."""
    return []


@pytest.fixture
def channel(host: ScriptedHost, taken: list[tuple[int, bytes]]) -> Channel:
    """Return an open channel."""
    return host.open_channel_for(lambda kind, data: taken.append((kind, data)))


def sent_numbers(host: ScriptedHost) -> list[int]:
    """Return the numbers of the messages that were sent."""
    return [number for number, _ in host.sent]


def granted(host: ScriptedHost) -> int:
    """Return how many more bytes the host was allowed to send, all in all."""
    return sum(
        message.get_int()
        for number, message in host.sent
        if number == common.MSG_CHANNEL_WINDOW_ADJUST
    )


# --- receiving -----------------------------------------------------------------------------------


def test_both_streams_go_to_the_consumer_in_the_order_in_which_they_came(
    host: ScriptedHost, channel: Channel, taken: list[tuple[int, bytes]]
) -> None:
    host.writes(channel, b"out")
    host.complains(channel, b"err")
    host.says(channel, common.MSG_CHANNEL_EXTENDED_DATA, 9, b"odd")
    host.closes(channel)
    host.pump_until(lambda: channel.closed)
    assert taken == [(0, b"out"), (1, b"err"), (9, b"odd")]


def test_less_than_half_a_window_is_not_granted_anew(host: ScriptedHost, channel: Channel) -> None:
    for _ in range(HALF):
        host.writes(channel, PIECE)
        host.pump()
    assert granted(host) == 0


def test_what_has_been_handed_over_is_granted_anew(host: ScriptedHost, channel: Channel) -> None:
    for _ in range(10 * HALF + 1):
        host.writes(channel, PIECE)
        host.pump()
    received = (10 * HALF + 1) * len(PIECE)
    assert received - WINDOW_BYTES // 2 <= granted(host) <= received


def test_the_window_is_not_granted_anew_before_the_consumer_has_taken_the_data(
    host: ScriptedHost,
) -> None:
    granted_at_take: list[int] = []
    channel = host.open_channel_for(lambda _kind, _data: granted_at_take.append(granted(host)))
    for _ in range(HALF + 1):
        host.writes(channel, PIECE)
        host.pump()
    assert granted_at_take[-1] == 0
    assert granted(host) > 0


@pytest.mark.parametrize("kind", ["stdout", "stderr"])
def test_a_piece_that_is_longer_than_allowed_is_a_violation(
    host: ScriptedHost, channel: Channel, taken: list[tuple[int, bytes]], kind: str
) -> None:
    (host.writes if kind == "stdout" else host.complains)(channel, PIECE + b"x")
    with pytest.raises(ConnectionLost, match=f"{len(PIECE) + 1} bytes at once"):
        host.pump()
    assert not taken


def test_more_than_the_window_before_anything_is_taken_is_a_violation(channel: Channel) -> None:
    for _ in range(2 * HALF):
        channel._receive(0, PIECE)
    with pytest.raises(ConnectionLost, match="more than the window"):
        channel._receive(0, b"x")


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "packet", "sent"),
    [(10, 100, 10), (100, 10, 10), (0, 100, 0), (100, 100, 40)],
    ids=["window", "packet", "nothing left", "all of it"],
)
def test_no_more_is_sent_than_the_window_and_a_packet_allow(
    host: ScriptedHost, channel: Channel, window: int, packet: int, sent: int
) -> None:
    channel.send_window, channel.send_packet = window, packet
    assert channel.send(b"x" * 40) == sent
    assert host.stdin == b"x" * sent
    assert channel.send_window == window - sent


@pytest.mark.parametrize(
    ("claimed", "used"),
    [
        (1000, 1000),
        (DATA_PACKET_BYTES, DATA_PACKET_BYTES),
        (1 << 20, DATA_PACKET_BYTES),
        (0xFFFFFFFF, DATA_PACKET_BYTES),
        (0, DATA_PACKET_BYTES),
    ],
)
def test_no_packet_is_longer_than_every_server_must_take(claimed: int, used: int) -> None:
    """RFC 4253, section 6.1 asks for 35,000 bytes; what a server claims to take may be more."""
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=())
        channel = transport._open_channels[0] = Channel(transport, 0, lambda _kind, _data: None)
        fields = build_message(0, 0, 7, WINDOW_BYTES, claimed).asbytes()[1:]
        transport._take_opened(Message(fields))
    assert (channel.opened, channel.send_window) == (True, WINDOW_BYTES)
    assert channel.send_packet == used


def test_a_window_that_is_used_up_is_waited_for(host: ScriptedHost, channel: Channel) -> None:
    channel.send_window = 3
    for more in (1, 5, 4):
        host.says(channel, common.MSG_CHANNEL_WINDOW_ADJUST, more)
    channel.send_all(b"0123456789abc")
    assert host.stdin == b"0123456789abc"
    assert host.silent
    assert channel.send_window == 0


def test_a_window_that_never_opens_ends_at_the_deadline(
    host: ScriptedHost, channel: Channel
) -> None:
    channel.send_window = 3
    with pytest.raises(DeadlinePassed):
        channel.send_all(b"0123456789")
    assert host.stdin == b"012"


def test_sending_stops_when_the_host_closes(host: ScriptedHost, channel: Channel) -> None:
    channel.send_window = 3
    host.closes(channel)
    channel.send_all(b"0123456789")
    assert host.stdin == b"012"
    channel.send_end()
    assert not host.ended_stdin


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [True, False])
def test_a_request_returns_the_hosts_answer(
    host: ScriptedHost, channel: Channel, *, answer: bool
) -> None:
    host.on_request = lambda on, _kind, _rest: host.says_yes(on) if answer else host.says_no(on)
    assert channel.request("exec", "true") is answer


def test_a_request_that_is_answered_by_closing_is_refused(
    host: ScriptedHost, channel: Channel
) -> None:
    host.on_request = lambda on, _kind, _rest: host.closes(on)
    assert not channel.request("exec", "true")
    assert channel.closed


def test_output_that_comes_before_the_answer_is_not_lost(
    host: ScriptedHost, channel: Channel, taken: list[tuple[int, bytes]]
) -> None:
    def early(on: Channel, _kind: str, _rest: object) -> None:
        host.writes(on, b"early")
        host.says_yes(on)

    host.on_request = early
    assert channel.request("exec", "true")
    assert taken == [(0, b"early")]


def test_a_signal_is_sent_without_waiting_and_its_refusal_is_seen_later(
    host: ScriptedHost, channel: Channel
) -> None:
    host.on_request = lambda on, _kind, _rest: host.says_no(on)
    refused = channel.signal_command("TERM")
    assert host.requests == ["signal"]
    assert not refused()
    host.pump()
    assert refused()


# --- the end -------------------------------------------------------------------------------------


def test_the_status_is_noted_and_the_channel_is_open_until_it_is_closed(
    host: ScriptedHost, channel: Channel
) -> None:
    host.exits(channel, 300)
    host.pump()
    assert (channel.exit_status, channel.signal, channel.closed) == (300, None, False)


@pytest.mark.parametrize(("name", "noted"), [("KILL", "KILL"), ("", "unknown")])
def test_a_signal_is_noted(host: ScriptedHost, channel: Channel, name: str, noted: str) -> None:
    host.is_killed(channel, name)
    host.pump()
    assert (channel.exit_status, channel.signal) == (None, noted)


def test_a_signal_name_that_is_no_text_is_no_error(host: ScriptedHost, channel: Channel) -> None:
    host.says(channel, common.MSG_CHANNEL_REQUEST, "exit-signal", False, b"\xff\xfe")
    host.pump()
    assert channel.signal == "\ufffd\ufffd"


@pytest.mark.parametrize("wants_answer", [True, False])
def test_a_request_of_the_host_is_refused_when_it_wants_an_answer(
    host: ScriptedHost, channel: Channel, *, wants_answer: bool
) -> None:
    host.says(channel, common.MSG_CHANNEL_REQUEST, "keepalive@openssh.com", wants_answer)
    host.pump()
    assert sent_numbers(host) == [common.MSG_CHANNEL_FAILURE] * wants_answer


def test_a_close_is_answered_once_and_ends_the_channel(
    host: ScriptedHost, channel: Channel
) -> None:
    host.says(channel, common.MSG_CHANNEL_CLOSE)
    host.pump()
    channel.close()
    assert (channel.ended, channel.closed) == (True, True)
    assert sent_numbers(host) == [common.MSG_CHANNEL_CLOSE]


def test_no_window_is_granted_on_a_channel_that_we_have_closed(
    host: ScriptedHost, channel: Channel
) -> None:
    channel.close()
    for _ in range(HALF + 1):
        host.writes(channel, PIECE)
        host.pump()
    assert sent_numbers(host) == [common.MSG_CHANNEL_CLOSE]
