"""The socket that keeps time, at one end of a socket pair."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from scripted_peer import PATIENCE_S, wire_over, wire_to_a_socket

from fleetrun.errors import Cancelled, ConnectionLost, DeadlinePassed
from fleetrun.session import Cancel
from fleetrun.ssh.wire import Deadline, Wire

BIG = 8 * 1024 * 1024
LONG_S = 3600.0


@contextlib.contextmanager
def thread(run: object, *args: object) -> Iterator[threading.Thread]:
    """Run something in a thread beside the block, and wait for its end."""
    assert callable(run)
    beside = threading.Thread(target=run, args=args)
    beside.start()
    try:
        yield beside
    finally:
        beside.join(PATIENCE_S)
        assert not beside.is_alive()


@contextlib.contextmanager
def cancellable_wire() -> Iterator[tuple[Wire, socket.socket, Cancel]]:
    """Yield a wire without a deadline, its other end, and its stop button."""
    ours, theirs = socket.socketpair()
    cancel = Cancel()
    wire = Wire(ours, deadline=Deadline.after(None, ""), cancel=cancel)
    wire.quick_ack = False
    with theirs:
        try:
            yield wire, theirs, cancel
        finally:
            wire.close()
            cancel.close()


def passed() -> Deadline:
    """Return a deadline that has passed."""
    return Deadline(at_s=time.monotonic() - 1, sentence="too slow")


# --- reading -------------------------------------------------------------------------------------


def test_many_reads_are_served_from_one_fetch() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"abcdef")
        assert wire.recv(2) == b"ab"
        assert other.send(b"x") == 1  # stays in the kernel: the rest is there already
        assert [wire.recv(3), wire.recv(10), wire.recv(10)] == [b"cde", b"f", b"x"]


def test_the_end_of_the_stream_is_read_again_and_again() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"a")
        other.close()
        assert [wire.recv(8), wire.recv(8), wire.recv(8)] == [b"a", b"", b""]


def test_bytes_that_are_given_back_are_read_next() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"SSH-2.0-x\nrest")
        line = wire.recv(100)
        wire.give_back(line[10:])
        wire.give_back(b"")
        other.sendall(b"more")
        assert wire.readable
        assert wire.recv(4) + wire.recv(4) == b"restmore"


def test_a_wire_that_carries_on_with_another_link_reads_and_sends_there() -> None:
    with cancellable_wire() as (wire, before, _), contextlib.ExitStack() as opened:
        ours, after = map(opened.enter_context, socket.socketpair())
        wire.send(b"unsent")
        ours.setblocking(False)

        given_back = wire.carry_on_with(ours)

        opened.callback(wire.carry_on_with, given_back)
        assert before.recv(9) == b"unsent"
        after.sendall(b"read here")
        assert wire.recv(9) == b"read here"
        wire.send(b"sent here")
        wire.flush()
        assert after.recv(9) == b"sent here"


def test_what_has_come_is_read_before_a_broken_connection_is_told() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"go away")
        other.close()
        wire.send(b"x" * 10)
        assert wire.recv(100) == b"go away"
        with pytest.raises(ConnectionLost, match="broken pipe"):
            wire.recv(100)


# --- deadlines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.01, 0.05])
def test_a_read_ends_at_the_deadline_and_not_before(seconds: float) -> None:
    with wire_to_a_socket() as (wire, _):
        wire.deadline = Deadline.after(seconds, "too slow")
        with pytest.raises(DeadlinePassed, match="too slow"):
            wire.recv(1)
        assert wire.deadline.remaining_s <= 0


def test_a_host_that_never_stops_sending_does_not_get_around_the_deadline() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"packet")
        wire.deadline = passed()
        assert wire.readable
        with pytest.raises(DeadlinePassed):
            wire.await_packet()
        assert not wire.torn


def test_a_deadline_between_packets_leaves_the_connection_whole() -> None:
    with wire_to_a_socket() as (wire, other):
        wire.deadline = passed()
        with pytest.raises(DeadlinePassed):
            wire.await_packet()
        wire.deadline = Deadline.after(PATIENCE_S, "")
        other.sendall(b"packet")
        wire.await_packet()
        assert wire.recv(6) == b"packet"
        wire.packet_over()
        assert not wire.torn


def test_a_packet_that_has_begun_may_come_to_its_end_after_the_deadline() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"pac")
        wire.await_packet()
        assert wire.recv(3) == b"pac"
        wire.deadline = passed_just_now()
        other.sendall(b"ket")
        assert wire.recv(3) == b"ket"
        wire.packet_over()
        assert not wire.torn
        with pytest.raises(DeadlinePassed):
            wire.await_packet()


def passed_just_now() -> Deadline:
    """Return a deadline that has passed this moment."""
    return Deadline(at_s=time.monotonic(), sentence="too slow")


def test_a_packet_whose_rest_does_not_come_leaves_the_connection_torn() -> None:
    with wire_to_a_socket() as (wire, other):
        other.sendall(b"pac")
        wire.await_packet()
        wire.recv(3)
        wire.deadline = passed()
        with pytest.raises(DeadlinePassed):
            wire.recv(3)
        assert wire.torn


def test_waiting_for_data_until_a_time_is_no_error() -> None:
    with wire_to_a_socket() as (wire, other):
        assert not wire.wait_readable(time.monotonic() + 0.01)
        other.sendall(b"x")
        assert wire.wait_readable(time.monotonic() + PATIENCE_S)
        assert wire.recv(1) == b"x"


def test_no_deadline_never_passes() -> None:
    forever = Deadline.after(None, "")
    assert forever.remaining_s == float("inf")


# --- cancelling ----------------------------------------------------------------------------------


def test_pressing_the_button_ends_a_wait_that_is_under_way() -> None:
    with cancellable_wire() as (wire, _, cancel), thread(press_later, cancel):
        with pytest.raises(Cancelled):
            wire.recv(1)
        assert not wire.torn


def press_later(cancel: Cancel) -> None:
    """Press the button when whoever waits is likely to wait already; right either way."""
    time.sleep(0.05)
    cancel.press()


def test_a_button_that_was_pressed_before_ends_a_wait_although_bytes_are_there() -> None:
    with cancellable_wire() as (wire, other, cancel):
        other.sendall(b"packet")
        cancel.press()
        with pytest.raises(Cancelled):
            wire.await_packet()
        assert not wire.torn


def test_a_session_that_says_goodbye_does_not_heed_the_button() -> None:
    with cancellable_wire() as (wire, other, cancel):
        cancel.press()
        wire.heed_cancel = False
        other.sendall(b"bye")
        wire.await_packet()
        assert wire.recv(3) == b"bye"


def test_a_packet_that_stalls_in_its_middle_holds_up_a_cancel_for_a_second_at_most() -> None:
    with cancellable_wire() as (wire, other, cancel):
        other.sendall(b"pac")
        wire.await_packet()
        wire.recv(3)
        wire.deadline = Deadline.after(5.0, "the button was not heeded")
        cancel.press()
        with pytest.raises(Cancelled):
            wire.recv(3)
        assert wire.torn


def test_a_cancel_lets_a_packet_that_has_begun_come_to_its_end() -> None:
    with cancellable_wire() as (wire, other, cancel):
        other.sendall(b"pac")
        wire.await_packet()
        cancel.press()
        other.sendall(b"ket")
        assert wire.recv(3) + wire.recv(3) == b"packet"
        wire.packet_over()
        with pytest.raises(Cancelled):
            wire.await_packet()
        assert not wire.torn


# --- sending -------------------------------------------------------------------------------------


def test_two_sides_that_both_send_first_and_read_later_do_not_block_each_other() -> None:
    """Both kernel buffers are full at once: only reading while sending gets them through."""
    mine, theirs = b"m" * BIG, b"t" * BIG
    received = bytearray()

    def other_side(sock: socket.socket) -> None:
        sock.sendall(theirs)
        while len(received) < BIG:
            received.extend(sock.recv(1 << 16))

    with wire_to_a_socket() as (wire, other), thread(other_side, other):
        assert wire.send(mine) == BIG
        got = 0
        while got < BIG:
            got += len(wire.recv(1 << 16))
    assert received == mine


def test_what_comes_while_sending_is_kept_in_order() -> None:
    sent = b"".join(b"%07d\n" % number for number in range(100_000))

    def other_side(sock: socket.socket) -> None:
        sock.sendall(sent)
        while sock.recv(1 << 16):
            pass

    ours, theirs = socket.socketpair()
    with theirs, wire_over(ours) as wire, thread(other_side, theirs):
        wire.send(b"x" * BIG)
        got = b""
        while len(got) < len(sent):
            got += wire.recv(1000)
        wire.close()
    assert got == sent


def test_a_host_that_sends_without_end_and_reads_nothing_is_given_up() -> None:
    def other_side(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock.send(b"x" * 65536)

    with wire_to_a_socket() as (wire, other), thread(other_side, other):
        with pytest.raises(ConnectionLost, match="sent without end"):
            wire.send(b"x" * BIG)
        wire.close()


def test_a_send_that_cannot_go_on_ends_at_the_deadline_and_is_torn() -> None:
    with wire_to_a_socket(0.05) as (wire, _):
        with pytest.raises(DeadlinePassed):
            wire.send(b"x" * BIG)
        assert wire.torn


def test_a_send_to_somebody_who_closes_meanwhile_is_lost() -> None:
    with (
        wire_to_a_socket() as (wire, other),
        thread(close_later, other),
        pytest.raises(ConnectionLost),
    ):
        send_until_lost(wire)


def send_until_lost(wire: Wire) -> None:
    """Send, and then read until it is told that the connection is lost."""
    wire.send(b"x" * BIG)
    while wire.recv(100):
        pass


def close_later(sock: socket.socket) -> None:
    """Read a little, and close with the rest unread."""
    sock.recv(1000)
    sock.close()


# --- silence -------------------------------------------------------------------------------------


def test_silence_is_told_once_for_each_of_its_lengths() -> None:
    told: list[float] = []

    def on_silence() -> None:
        told.append(time.monotonic())
        if len(told) == 3:
            raise ConnectionLost("no sign of life")

    with wire_to_a_socket() as (wire, _):
        wire.silence_s, wire.on_silence = 0.02, on_silence
        began_s = time.monotonic()
        with pytest.raises(ConnectionLost, match="no sign of life"):
            wire.recv(1)
    assert all(
        later - earlier >= 0.02 for earlier, later in zip([began_s, *told], told, strict=False)
    )


def test_a_byte_from_the_host_ends_a_silence() -> None:
    with wire_to_a_socket() as (wire, other):
        wire.silence_s, wire.on_silence = LONG_S, lambda: None
        wire.last_heard_s -= LONG_S
        other.sendall(b"x")
        assert wire.recv(1) == b"x"
        assert time.monotonic() - wire.last_heard_s < LONG_S


def test_silence_is_also_told_while_sending_waits() -> None:
    with wire_to_a_socket() as (wire, _):

        def on_silence() -> None:
            raise ConnectionLost("no sign of life")

        wire.silence_s, wire.on_silence = 0.02, on_silence
        with pytest.raises(ConnectionLost, match="no sign of life"):
            wire.send(b"x" * BIG)


def test_a_question_asked_while_sending_waits_goes_out_behind_what_is_sent() -> None:
    question = b"are you there?"
    with wire_to_a_socket() as (wire, other):
        asked = threading.Event()
        received = bytearray()

        def ask() -> None:
            wire.silence_s = LONG_S
            wire.send(question)
            asked.set()

        def read() -> None:
            assert asked.wait(PATIENCE_S)
            while len(received) < BIG + len(question):
                received.extend(other.recv(1024 * 1024))

        wire.silence_s, wire.on_silence = 0.02, ask
        with thread(read):
            wire.send(b"x" * BIG)
        assert received == b"x" * BIG + question
        assert not wire.torn


# --- closing -------------------------------------------------------------------------------------


def test_closing_twice_is_allowed() -> None:
    with wire_to_a_socket() as (wire, other):
        wire.close()
        wire.close()
        assert wire.fileno() == -1
        assert other.recv(1) == b""


# --- what is unsent ------------------------------------------------------------------------------


def test_messages_that_follow_each_other_are_sent_together_before_the_host_is_listened_to() -> None:
    with wire_to_a_socket() as (wire, other):
        other.setblocking(False)
        wire.send(b"one")
        wire.send(b"two")
        with pytest.raises(BlockingIOError):
            other.recv(100)
        assert not wire.wait_readable(time.monotonic())
        assert other.recv(100) == b"onetwo"


def test_what_is_unsent_goes_out_when_it_is_asked_to() -> None:
    with wire_to_a_socket() as (wire, other):
        wire.send(b"goodbye")
        wire.flush()
        assert other.recv(100) == b"goodbye"
        assert not wire.torn


def test_a_question_about_silence_goes_out_although_nothing_else_happens() -> None:
    with wire_to_a_socket() as (wire, other):

        def ask() -> None:
            wire.send(b"are you there?")

        wire.silence_s, wire.on_silence = 0.02, ask
        assert not wire.wait_readable(time.monotonic() + 0.05)
        assert other.recv(100).startswith(b"are you there?")
