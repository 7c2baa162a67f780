"""Bytes over calls that may be broken off, come late or come twice: each arrives once, in order."""

from __future__ import annotations

import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from outpost_world import Badly, line_in, until_end, world

SIZE_BYTES = 60_000


def bytes_of(seed: int) -> bytes:
    return random.Random(seed).randbytes(SIZE_BYTES)  # noqa: S311


def receive_all(end: socket.socket, size: int) -> bytes:
    heard = b""
    while len(heard) < size and (piece := end.recv(10_000)):
        heard += piece
    return heard


def say(end: socket.socket, words: bytes, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    while words:
        size = chance.choice([1, 50, 700, 3000])
        end.sendall(words[:size])
        words = words[size:]
        threading.Event().wait(chance.choice([0.0, 0.001, 0.004]))


@pytest.mark.parametrize("seed", range(24))
def test_every_byte_arrives_once_and_in_order_whatever_becomes_of_calls(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    down, up = bytes_of(seed), bytes_of(seed + 1000)
    with world(monkeypatch, Badly(seed)) as there, ThreadPoolExecutor(2) as pool:
        process = there.process.socket
        line = line_in(there)
        chance = random.Random(seed)  # noqa: S311
        arriving = pool.submit(receive_all, process, len(down))
        saying = pool.submit(say, process, up, seed)
        left = down
        while left:
            size = chance.choice([1, 100, 5000])
            assert line.send(bytearray(left[:size])) == len(left[:size])
            left = left[size:]
            threading.Event().wait(chance.choice([0.0, 0.002]))
        assert arriving.result(20.0) == down
        saying.result(20.0)
        process.close()
        assert until_end(line) == up
        assert line.is_exact
        assert line.departed_bytes == len(down)
        line.hang_up()
        line.wait()
