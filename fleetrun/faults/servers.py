r"""Servers that say what a script says, on plain sockets, with a thread for each visit.

with ScriptedServer(scripts.http()) as server:
    host = Host(name="web1", address="127.0.0.1", port=server.port)
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_READ_BYTES = 64 * 1024


class VisitOver(Exception):
    """The visitor left, or the server is being closed: the script need not go on."""


class Visit:
    """One connection to a scripted server, as its script sees it. Used by the script's thread.

    Every method raises `VisitOver` when there is no point in going on; the server takes it.
    """

    def __init__(self, sock: socket.socket, closing: threading.Event) -> None:
        self._sock = sock
        self._closing = closing

    def say(self, data: bytes) -> None:
        """Send it all, however long the visitor takes."""
        try:
            self._sock.sendall(data)
        except OSError:
            raise VisitOver from None

    def hear(self) -> bytes:
        """Return what the visitor says next, 1 byte to 64 KiB."""
        try:
            data = self._sock.recv(_READ_BYTES)
        except OSError:
            raise VisitOver from None
        if not data:
            raise VisitOver
        return data

    def pause(self, seconds: float) -> None:
        """Do nothing for so long."""
        if self._closing.wait(seconds):
            raise VisitOver

    def listen_for_ever(self) -> None:
        """Take what the visitor says and answer nothing, until it leaves."""
        while True:
            self.hear()


Script = Callable[[Visit], None]
"""What a server does with one visit; when it returns, the connection is closed."""


class ScriptedServer:
    """A TCP server on 127.0.0.1 that runs a script for each connection. A context manager.

    Args:
        script: what to do with a connection, in a daemon thread of its own; there are some in
            `fleetrun.faults.scripts`.

    Attributes:
        port: where it listens; 0 before `__enter__`.
        visits: how many connections it took.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self._closing = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        self.port = 0
        self.visits = 0

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._accept, name=f"scripted server {self.port}", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all visits and threads."""
        self._closing.set()
        wake_and_close(self._listener, self.port)
        self._thread.join()
        with self._lock:
            visits = dict(self._open)
        for sock in visits:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in visits.values():
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._closing.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.visits += 1
            thread = threading.Thread(
                target=self._visit, args=(sock,), name=f"visit {self.port}", daemon=True
            )
            with self._lock:
                self._open[sock] = thread
                thread.start()

    def _visit(self, sock: socket.socket) -> None:
        with contextlib.suppress(VisitOver):
            self._script(Visit(sock, self._closing))
        with self._lock:
            del self._open[sock]
            sock.close()


def wake_and_close(listener: socket.socket, port: int) -> None:
    """Close a listener that a thread waits on: closing alone would leave the thread waiting."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        pass
    listener.close()
