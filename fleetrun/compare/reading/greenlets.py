"""The streams, read by greenlets: a program of its own, that gevent stays out of fleetrun's.

    python greenlets.py PORT COUNT

Connects, says `ready`, waits for a line, reads all streams to their ends with a greenlet for each,
and prints what that took as one JSON line. Run by path.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from contextlib import suppress

import gevent
from gevent.socket import wait_read

_PIECE_BYTES = 65_536


class Reader:
    """The greenlet of one stream, and what it saw."""

    recvs = 0
    in_vain = 0

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.size_bytes = 0

    def run(self) -> None:
        """Wait in the loop until there is something, read it, and wait again, to the end."""
        self._sock.setblocking(False)
        while True:
            wait_read(self._sock.fileno())
            Reader.recvs += 1
            try:
                piece = self._sock.recv(_PIECE_BYTES)
            except BlockingIOError:
                Reader.in_vain += 1
                continue
            if not piece:
                return
            self.last_s = time.monotonic()
            self.first_s = self.first_s or self.last_s
            self.size_bytes += len(piece)


def main(port: str, count: str) -> None:
    """Read, and print what it took."""
    with suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    readers = [
        Reader(socket.create_connection(("127.0.0.1", int(port)))) for _ in range(int(count))
    ]
    loop = gevent.get_hub().loop
    print("ready", flush=True)  # noqa: T201 (stdout is the parent's pipe)
    sys.stdin.readline()
    cpu_s, (turns, switches) = time.thread_time(), _counts(loop)
    gevent.joinall([gevent.spawn(reader.run) for reader in readers])
    turns_now, switches_now = _counts(loop)
    told = {
        "cpu_seconds": time.thread_time() - cpu_s,
        "calls": {"epoll_wait": turns_now - turns, "recv": Reader.recvs},
        "in_vain": Reader.in_vain,
        "wake_ups": switches_now - switches,
        "readers": [[reader.first_s, reader.last_s, reader.size_bytes] for reader in readers],
    }
    print(json.dumps(told))  # noqa: T201


def _counts(loop: object) -> tuple[int, int]:
    """Return the turns of the event loop until now, and the thread's voluntary switches."""
    usage = resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF))
    return int(getattr(loop, "iteration", 0)), usage.ru_nvcsw


if __name__ == "__main__":
    main(*sys.argv[1:])
