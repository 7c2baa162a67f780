"""The pump: what a host may send, in the clear and one packet after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from paramiko import common
from paramiko.message import Message
from paramiko.transport import ServiceRequestingTransport
from scripted_peer import wire_over, wire_to_a_socket

from fleetrun.errors import ConnectError, ConnectionLost, Refused
from fleetrun.ssh.channel import DATA_PACKET_BYTES, WINDOW_BYTES, Channel
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.packets import Packets
from fleetrun.ssh.transport import Login, Transport, host_key_algorithms
from fleetrun.ssh.wire import Wire

Field = bool | int | str | bytes


class Host:
    """The other end: sends packets, and reads what we have sent."""

    def __init__(self, wire: Wire, ours: Wire) -> None:
        self._wire = wire
        self._ours = ours
        self._packets = Packets(wire)

    def sends(self, number: int, *fields: Field) -> None:
        """Send a message."""
        self.says(build_message(number, *fields))

    def says(self, message: Message) -> None:
        """Send a message that is made already, at once."""
        self._packets.send_message(message)
        self._wire.flush()

    def hears(self) -> tuple[int, Message]:
        """Return the next message that we have sent, waiting for it."""
        self._ours.flush()
        return self._packets.read_message()


@pytest.fixture
def wire() -> Iterator[tuple[Wire, Host]]:
    """Return a wire and the host at its other end."""
    with wire_to_a_socket() as (ours, sock), wire_over(sock.dup()) as theirs:
        yield ours, Host(theirs, ours)


@pytest.fixture
def transport(wire: tuple[Wire, Host]) -> Transport:
    """Return a transport that takes packets; no keys have been exchanged."""
    made = Transport(wire[0], key_types=host_key_algorithms())
    made.active = True
    return made


@pytest.fixture
def host(wire: tuple[Wire, Host]) -> Host:
    """Return the host at the other end."""
    return wire[1]


@pytest.fixture
def channel(transport: Transport) -> Channel:
    """Return a channel of ours that the host has opened, with the number 7 on its side."""
    opened = transport._open_channels[0] = Channel(transport, 0, lambda _kind, _data: None)
    opened.remote_id, opened.opened = 7, True
    opened.send_window = WINDOW_BYTES
    return opened


# --- what a host may say -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (b"too many logins", ": too many logins"),
        (b"", ": without a reason"),
        (b"caf\xe9", ": caf\ufffd"),
    ],
    ids=["words", "none", "Latin-1"],
)
def test_a_disconnect_is_told_in_the_hosts_words(
    transport: Transport, host: Host, reason: bytes, words: str
) -> None:
    host.sends(common.MSG_DISCONNECT, 2, reason, "")
    with pytest.raises(ConnectionLost) as lost:
        transport.pump()
    assert str(lost.value) == f"the host closed the connection{words}"
    assert not transport.active


def test_what_may_come_at_any_time_is_passed_over(transport: Transport, host: Host) -> None:
    host.sends(common.MSG_IGNORE, b"x" * 1000)
    host.sends(common.MSG_DEBUG, True, "look", "")
    host.sends(common.MSG_UNIMPLEMENTED, 3)
    host.sends(common.MSG_DISCONNECT, 2, "over", "")
    for _ in range(3):
        transport.pump()
    with pytest.raises(ConnectionLost, match="over"):
        transport.pump()


def test_a_message_that_we_do_not_know_is_answered_as_such(
    transport: Transport, host: Host
) -> None:
    host.sends(199)
    transport.pump()
    assert host.hears()[0] == common.MSG_UNIMPLEMENTED


@pytest.mark.parametrize(
    ("number", "fields", "answer"),
    [
        (
            common.MSG_GLOBAL_REQUEST,
            ("hostkeys-00@openssh.com", True),
            common.MSG_REQUEST_FAILURE,
        ),
        (
            common.MSG_CHANNEL_OPEN,
            ("x11", 5, WINDOW_BYTES, DATA_PACKET_BYTES, "10.0.0.1", 6000),
            common.MSG_CHANNEL_OPEN_FAILURE,
        ),
        (
            common.MSG_CHANNEL_OPEN,
            ("auth-agent@openssh.com", 5, WINDOW_BYTES, DATA_PACKET_BYTES),
            common.MSG_CHANNEL_OPEN_FAILURE,
        ),
        (
            common.MSG_CHANNEL_OPEN,
            ("session", 5, WINDOW_BYTES, DATA_PACKET_BYTES),
            common.MSG_CHANNEL_OPEN_FAILURE,
        ),
    ],
    ids=["a request", "X11", "our agent", "a session with us"],
)
def test_what_a_host_asks_of_us_is_refused(
    transport: Transport, host: Host, number: int, fields: tuple[Field, ...], answer: int
) -> None:
    host.sends(number, *fields)
    transport.pump()
    assert host.hears()[0] == answer


@pytest.mark.parametrize(
    ("number", "fields", "words"),
    [
        (common.MSG_CHANNEL_DATA, (9, b"x"), "never opened"),
        (common.MSG_CHANNEL_CLOSE, (9,), "never opened"),
        (common.MSG_CHANNEL_OPEN_SUCCESS, (9, 0, 0, 0), "nobody asked for"),
        (common.MSG_CHANNEL_DATA, (), "."),
        (common.MSG_KEXINIT, (b"short",), "."),
    ],
    ids=["data", "close", "opening", "no channel number", "half a KEXINIT"],
)
def test_what_no_host_may_send_is_a_broken_protocol(
    transport: Transport, host: Host, number: int, fields: tuple[Field, ...], words: str
) -> None:
    host.sends(number, *fields)
    with pytest.raises((ConnectionLost, ConnectError), match=words):
        transport.pump()


@pytest.mark.parametrize("count", [1025, 0xFFFFFFFF])
def test_a_number_of_extensions_that_nobody_has_is_not_counted_through(
    transport: Transport, host: Host, count: int
) -> None:
    host.sends(common.MSG_EXT_INFO, count)
    with pytest.raises(ConnectionLost, match=f"claims {count} extensions"):
        transport.pump()


@pytest.mark.parametrize("count", [101, 0xFFFFFFFF])
def test_a_number_of_questions_that_nobody_asks_is_not_counted_through(
    transport: Transport, host: Host, count: int
) -> None:
    transport.auth_handler = Login(transport)
    transport.auth_handler.auth_method = "keyboard-interactive"
    host.sends(common.MSG_USERAUTH_INFO_REQUEST, "", "", "", count)
    with pytest.raises(ConnectionLost, match=f"claims {count} questions"):
        transport.pump()


@pytest.mark.parametrize(
    ("said", "kept"), [(b"ssh-ed25519,rsa-sha2-256", True), (b"rsa-sha2-256,\xff\xfe", False)]
)
def test_a_list_of_signature_algorithms_that_is_not_text_is_taken_for_none(
    transport: Transport, host: Host, said: bytes, *, kept: bool
) -> None:
    host.sends(common.MSG_EXT_INFO, 2, "no-flow-control", b"\xff", "server-sig-algs", said)
    transport.pump()
    assert ("server-sig-algs" in transport.server_extensions) == kept


def test_in_the_middle_of_a_key_exchange_nothing_else_may_come(
    transport: Transport, host: Host, channel: Channel
) -> None:
    transport._expect_packet(common.MSG_NEWKEYS)
    host.sends(common.MSG_CHANNEL_DATA, channel.local_id, b"x")
    with pytest.raises(ConnectionLost, match="message 94 where only 21 may come"):
        transport.pump()


def test_a_closed_connection_is_told() -> None:
    with wire_to_a_socket() as (wire, sock):
        sock.close()
        transport = Transport(wire, key_types=())
        transport.active = True
        with pytest.raises(ConnectionLost, match=r"^the host closed the connection$"):
            transport.pump()
    assert not transport.active


def test_an_error_of_whoever_takes_the_output_is_not_blamed_on_the_host(
    transport: Transport, host: Host
) -> None:
    def take(_kind: int, _data: bytes) -> None:
        raise ValueError("a bug of ours")

    transport._open_channels[0] = Channel(transport, 0, take)
    host.sends(common.MSG_CHANNEL_DATA, 0, b"x")
    with pytest.raises(ValueError, match="a bug of ours"):
        transport.pump()


# --- opening channels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((1, "open failed", ""), "the host opens no session: open failed"),
        ((1, "", ""), "the host opens no session: code 1"),
    ],
    ids=["words", "none"],
)
def test_a_session_that_is_not_opened_is_refused_in_the_hosts_words(
    transport: Transport, host: Host, fields: tuple[Field, ...], words: str
) -> None:
    host.sends(common.MSG_CHANNEL_OPEN_FAILURE, 0, *fields)
    with pytest.raises(Refused, match=words):
        transport.open_channel_for(lambda _kind, _data: None)
    assert not transport._open_channels


def test_channels_have_numbers_of_their_own(transport: Transport, host: Host) -> None:
    for number in range(3):
        host.sends(common.MSG_CHANNEL_OPEN_SUCCESS, number, 100 + number, 10, 20)
        opened = transport.open_channel_for(lambda _kind, _data: None)
        assert (opened.local_id, opened.remote_id) == (number, 100 + number)
        assert (opened.send_window, opened.send_packet) == (10, 20)
        sent, message = host.hears()
        assert (sent, message.get_text()) == (common.MSG_CHANNEL_OPEN, "session")
        assert [message.get_int() for _ in range(3)] == [number, WINDOW_BYTES, DATA_PACKET_BYTES]


# --- while keys are exchanged --------------------------------------------------------------------


@pytest.fixture
def sent(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what is sent from now on, packet by packet."""
    packets: list[bytes] = []
    monkeypatch.setattr(
        transport, "_send_message", lambda message: packets.append(message.asbytes())
    )
    return packets


def test_what_is_sent_while_keys_are_exchanged_goes_out_afterwards_and_in_order(
    transport: Transport, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our keys are new before the host's are: what comes in between must not overtake the rest."""
    monkeypatch.setattr(ServiceRequestingTransport, "_parse_newkeys", lambda _self, _message: None)
    transport.in_kex = True
    transport.send_message(build_message(200, b"first"))
    assert sent == []
    transport.in_kex = False  # as when our own NEWKEYS has been sent
    transport.send_message(build_message(200, b"second"))
    transport._parse_newkeys(Message())
    transport.send_message(build_message(200, b"third"))
    assert [packet[5:] for packet in sent] == [b"first", b"second", b"third"]


def test_nothing_goes_out_while_another_exchange_is_due(
    transport: Transport, sent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceRequestingTransport, "_parse_newkeys", lambda _self, _message: None)
    transport.in_kex = True
    transport.send_message(build_message(200, b"first"))
    transport._parse_newkeys(Message())
    assert sent == []


# --- no common algorithm -------------------------------------------------------------------------

KINDS = {
    "key exchange": 0,
    "host key": 1,
    "cipher": 2,
    "MAC": 4,
    "compression": 6,
}


def kexinit(transport: Transport, **lists: str) -> list[Field]:
    """Return the fields of a KEXINIT that offers what we do, but for the lists that are given."""
    ours = (
        *(transport.preferred_kex, transport.preferred_keys),
        *(transport.preferred_ciphers,) * 2,
        *(transport.preferred_macs,) * 2,
        *(transport.preferred_compression,) * 2,
    )
    offered = [",".join(names) for names in ours]
    for what, names in lists.items():
        at = KINDS[what]
        offered[at : at + 2 if at > 1 else at + 1] = [names] * (2 if at > 1 else 1)
    return [*offered, "", "", False, 0]


@pytest.mark.parametrize("what", KINDS)
def test_a_disagreement_names_both_lists(transport: Transport, host: Host, what: str) -> None:
    fields = kexinit(transport, **{what: "made-up@example,other"})
    cookie = bytes(16)
    message = build_message(common.MSG_KEXINIT, *fields).asbytes()
    host.says(Message(message[:1] + cookie + message[1:]))
    transport._send_kex_init()
    with pytest.raises(ConnectError) as refused:
        transport.pump()
    sentence = str(refused.value)
    assert sentence.startswith(f"no common {what}: it offers made-up@example,other; we offer ")
    assert "--legacy-algorithms" not in sentence


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("host key", "ssh-rsa"),
        ("cipher", "3des-cbc"),
        ("MAC", "hmac-md5"),
        ("key exchange", "diffie-hellman-group14-sha1"),
    ],
)
def test_a_disagreement_that_an_option_would_mend_names_the_option(
    transport: Transport, host: Host, what: str, name: str
) -> None:
    message = build_message(common.MSG_KEXINIT, *kexinit(transport, **{what: name})).asbytes()
    host.says(Message(message[:1] + bytes(16) + message[1:]))
    transport._send_kex_init()
    with pytest.raises(ConnectError, match="--legacy-algorithms"):
        transport.pump()


@pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
def test_what_we_offer_is_made_as_paramiko_makes_it(
    monkeypatch: pytest.MonkeyPatch,
    legacy: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    with wire_to_a_socket() as (wire, _theirs):
        transport = Transport(wire, key_types=["ssh-ed25519"], legacy_algorithms=legacy)
        sent: list[bytes] = []
        monkeypatch.setattr(transport, "_send_message", lambda each: sent.append(each.asbytes()))
        transport._send_kex_init()
        super(Transport, transport)._send_kex_init()
    ours, by_theirs = sent
    assert ours[:1] + ours[17:] == by_theirs[:1] + by_theirs[17:]
    assert ours[1:17] != by_theirs[1:17]  # the cookie


# --- signs of life, and goodbye ------------------------------------------------------------------


def test_a_silent_host_is_asked_and_then_given_up(
    transport: Transport, wire: tuple[Wire, Host], sent: list[bytes]
) -> None:
    transport.watch_for_silence(15.0, 3)
    ask = wire[0].on_silence
    assert ask is not None
    assert wire[0].silence_s == 15.0
    for _ in range(3):
        ask()
    assert [packet[0] for packet in sent] == [common.MSG_GLOBAL_REQUEST] * 3
    with pytest.raises(ConnectionLost, match="no sign of life for 45 s"):
        ask()


def test_any_packet_is_a_sign_of_life(
    transport: Transport, host: Host, wire: tuple[Wire, Host]
) -> None:
    transport.watch_for_silence(15.0, 1)
    ask = wire[0].on_silence
    assert ask is not None
    for _ in range(5):
        ask()
        assert host.hears()[0] == common.MSG_GLOBAL_REQUEST
        host.sends(common.MSG_REQUEST_FAILURE)
        transport.pump()


def test_nobody_is_asked_while_keys_are_exchanged_and_the_patience_is_the_same(
    transport: Transport, wire: tuple[Wire, Host], sent: list[bytes]
) -> None:
    transport.watch_for_silence(15.0, 1)
    ask = wire[0].on_silence
    assert ask is not None
    transport.in_kex = True
    ask()
    assert sent == []
    with pytest.raises(ConnectionLost):
        ask()


def test_an_interval_of_0_means_never(transport: Transport, wire: tuple[Wire, Host]) -> None:
    transport.watch_for_silence(0.0, 3)
    assert wire[0].silence_s == math.inf


@pytest.mark.usefixtures("channel")
def test_goodbye_closes_the_channels_and_then_disconnects(
    transport: Transport, sent: list[bytes]
) -> None:
    transport.say_goodbye()
    assert [packet[0] for packet in sent] == [common.MSG_CHANNEL_CLOSE, common.MSG_DISCONNECT]


@pytest.mark.usefixtures("channel")
@pytest.mark.parametrize("state", ["torn", "exchanging keys", "over"])
def test_there_is_no_goodbye_when_nothing_can_be_said(
    transport: Transport, wire: tuple[Wire, Host], sent: list[bytes], state: str
) -> None:
    wire[0].torn = state == "torn"
    transport.in_kex = state == "exchanging keys"
    transport.active = state != "over"
    transport.say_goodbye()
    assert sent == []
