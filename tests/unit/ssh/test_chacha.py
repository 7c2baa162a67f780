"""The cipher that paramiko lacks; that sshd and tinysshd understand it is in tests/integration."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from cryptography.exceptions import InvalidSignature
from paramiko import common
from scripted_peer import PATIENCE_S, wire_over, wire_to_a_socket

from fleetrun.errors import ConnectionLost
from fleetrun.ssh.chacha import KEY_BYTES, TAG_BYTES, ChaChaPoly
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.packets import MAX_PACKET_BYTES, Packets

KEY = bytes(range(KEY_BYTES))
PACKET = b"\0\0\0\x10" + b"sixteen bytes of"


def test_a_packet_is_what_it_was_when_it_is_opened() -> None:
    cipher = ChaChaPoly(KEY)
    for number in (0, 1, 255, 2**32 - 1):
        sealed = cipher.seal(number, PACKET)
        assert len(sealed) == len(PACKET) + TAG_BYTES
        assert PACKET[4:] not in sealed
        assert cipher.length(number, sealed[:4]) == 16
        assert cipher.open(number, sealed[:4], sealed[4:]) == PACKET[4:]


def test_a_packet_with_a_byte_changed_anywhere_is_not_opened() -> None:
    cipher = ChaChaPoly(KEY)
    sealed = cipher.seal(7, PACKET)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(InvalidSignature):
            cipher.open(7, bytes(changed[:4]), bytes(changed[4:]))


def test_a_packet_is_not_opened_in_anothers_place() -> None:
    cipher = ChaChaPoly(KEY)
    sealed = cipher.seal(7, PACKET)
    for number in (6, 8, 7 + 2**32):
        with pytest.raises(InvalidSignature):
            cipher.open(number, sealed[:4], sealed[4:])


def test_the_length_and_the_rest_have_keys_of_their_own() -> None:
    sealed = ChaChaPoly(KEY).seal(0, PACKET)
    other_length_key = ChaChaPoly(KEY[:32] + bytes(32))
    assert other_length_key.length(0, sealed[:4]) != 16
    assert other_length_key.open(0, sealed[:4], sealed[4:]) == PACKET[4:]


# --- in packets ----------------------------------------------------------------------------------


@contextmanager
def two_ends() -> Iterator[tuple[Packets, Packets]]:
    """Yield packets that were switched to the cipher, and those of the other end."""
    with wire_to_a_socket() as (wire, sock), wire_over(sock.dup()) as other_wire:
        ours, theirs = Packets(wire), Packets(other_wire)
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            sender.send_message(build_message(common.MSG_IGNORE, b"before"))
            sender._wire.flush()
            receiver.read_message()
            sender.set_outbound_cipher(ChaChaPoly(KEY), 8, None, 16, None, aead=True)
            receiver.set_inbound_cipher(ChaChaPoly(KEY), 8, None, 16, None, aead=True)
        yield ours, theirs


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 32_768])
def test_messages_of_any_size_come_through_in_both_directions(size: int) -> None:
    data = os.urandom(size)
    with two_ends() as (ours, theirs):
        for sender, receiver in ((ours, theirs), (theirs, ours)) * 3:
            sender.send_message(build_message(common.MSG_IGNORE, data))
            sender._wire.flush()
            number, message = receiver.read_message()
            assert (number, message.get_string()) == (common.MSG_IGNORE, data)


def test_both_sides_may_begin_to_count_anew() -> None:
    with two_ends() as (ours, theirs):
        ours.reset_seqno_out()
        theirs.reset_seqno_in()
        ours.send_message(build_message(common.MSG_IGNORE, b"again"))
        ours._wire.flush()
        assert theirs.read_message()[1].get_string() == b"again"


def test_a_side_that_counts_differently_is_not_understood() -> None:
    with two_ends() as (ours, theirs):
        theirs.reset_seqno_in()
        ours.send_message(build_message(common.MSG_IGNORE, b"again"))
        ours._wire.flush()
        with pytest.raises((InvalidSignature, ConnectionLost)):
            theirs.read_message()


def test_a_question_asked_while_a_packet_waits_for_room_has_a_number_of_its_own() -> None:
    """It is asked in the middle of sending that packet: the two must not be sealed alike."""
    asked = threading.Event()
    with two_ends() as (ours, theirs), ThreadPoolExecutor(1) as beside:

        def ask() -> None:
            ours._wire.silence_s = math.inf
            ours.send_message(build_message(common.MSG_GLOBAL_REQUEST, "alive?", True))
            asked.set()

        def read_to_the_end() -> list[int]:
            assert asked.wait(PATIENCE_S)
            numbers = []
            while not numbers or numbers[-1] != common.MSG_DISCONNECT:
                numbers.append(theirs.read_message()[0])
            return numbers

        read = beside.submit(read_to_the_end)
        ours._wire.silence_s, ours._wire.on_silence = 0.0, ask
        while not asked.is_set():
            ours.send_message(build_message(common.MSG_IGNORE, bytes(200_000)))
        ours.send_message(build_message(common.MSG_DISCONNECT))
        ours._wire.flush()
        *before, question, end = read.result(PATIENCE_S)
    assert set(before) == {common.MSG_IGNORE}
    assert (question, end) == (common.MSG_GLOBAL_REQUEST, common.MSG_DISCONNECT)


@pytest.mark.parametrize("size", [0, 4, MAX_PACKET_BYTES + 8, 0xFFFFFFF8])
def test_an_impossible_length_is_refused_before_the_rest_is_waited_for(size: int) -> None:
    cipher = ChaChaPoly(KEY)
    with wire_to_a_socket() as (wire, sock):
        packets = Packets(wire)
        packets.set_inbound_cipher(cipher, 8, None, 16, None, aead=True)
        sock.sendall(cipher.seal(0, size.to_bytes(4, "big"))[:4])
        with pytest.raises(ConnectionLost, match=f"claims {size} bytes"):
            packets.read_message()
