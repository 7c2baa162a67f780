"""One logged-in connection to a jump host, shared by all sessions behind it in this process.

A session's thread pumps its own connection; one that many sessions share is pumped by a thread of
its own, which moves bytes between its connection and the tunnels of those sessions.

    acquire ─► [log in, once] ─► Bastion (thread) ─┬─ Tunnel ─ session
    others wait meanwhile                           ├─ Tunnel ─ session
                                                    └─ idle for 3 s: goodbye
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
import time
from collections import deque

from fleetrun.errors import ConnectError, SessionError
from fleetrun.hosts import Host
from fleetrun.readiness import wait_ready
from fleetrun.session import Cancel
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.tunnel import Tunnel, TunnelEnd
from fleetrun.ssh.wire import Deadline, Wire

log = logging.getLogger(__name__)

IDLE_S = 3.0
"""How long a bastion waits for another session once the last one behind it has ended."""

_GOODBYE_S = 1.0
_PACKETS_A_TURN = 64
"""How many packets are read before the tunnels get their turn."""


class Bastion:
    """The owner of a connection to a jump host. `open` is for any thread; `close` too.

    Args:
        host: the jump host.
        transport: the connection, logged in; nobody else uses it from now on.
        wire: what it is built on.

    It ends by itself when nobody has held it for `IDLE_S`, or when the connection ends: every
    session behind it is then told why.
    """

    def __init__(self, host: Host, transport: Transport, wire: Wire) -> None:
        self.host = host
        self._transport = transport
        self._wire = wire
        self._life = Cancel()  # never pressed: a shared connection ends with no single run
        wire.serve(self._life)
        wire.deadline = Deadline.after(None, "")
        transport.watch_for_silence(host.alive_interval_s, host.alive_count)
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self._lock = threading.Lock()
        self._holders = 0
        self._held_last_at_s = time.monotonic()
        self._over = False
        self._closing = False
        self._rung = False
        self._asked: deque[Tunnel] = deque()
        self._tunnels: list[Tunnel] = []
        self._thread = threading.Thread(
            target=self._run, name=f"fleetrun-bastion {host.name}", daemon=True
        )

    def start(self) -> None:
        """Start its thread; once."""
        self._thread.start()

    def hold(self) -> bool:
        """Keep it from ending, until `release`; False when it has ended already."""
        with self._lock:
            if self._over or self._closing:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """Let go of it."""
        with self._lock:
            self._holders -= 1
            self._held_last_at_s = time.monotonic()
        self._ring()

    def open(self, host: Host, deadline: Deadline, cancel: Cancel) -> TunnelEnd:
        """Open a way to a host behind it; the caller holds the bastion, and closes the way.

        Raises `ConnectError` with the jump host's words, `DeadlinePassed` or `Cancelled`.
        """
        if not self.hold():
            raise ConnectError(f"via {self.host.name}: its connection has ended")
        mine, theirs = socket.socketpair()
        tunnel = Tunnel(theirs, host.address, host.port, deadline)
        end = TunnelEnd(mine, tunnel, stir=self._ring, release=self.release)
        try:
            self._ask(tunnel)
            end.await_opening(self.host.name, deadline, cancel)
        except BaseException:
            end.close()
            raise
        return end

    def close(self) -> None:
        """End it, and all sessions behind it; waits a second at most."""
        self._closing = True
        self._ring()
        self._thread.join(_GOODBYE_S)

    def _ask(self, tunnel: Tunnel) -> None:
        with self._lock:
            if not self._over:
                self._asked.append(tunnel)
                self._ring()
                return
        tunnel.end("its connection has ended")

    def _ring(self) -> None:
        """Wake its thread, which looks at all tunnels then; one ring is enough for many."""
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):  # it has ended
                self._ringer.send(b"x")

    # --- its own thread ------------------------------------------------------------------------

    def _run(self) -> None:
        reason = None
        try:
            while not self._is_done():
                self._turn()
        except SessionError as error:
            reason = f"the connection to the jump host {self.host.name} was lost: {error}"
            log.info("%s", reason)
        finally:
            self._end(reason or f"the connection to the jump host {self.host.name} was closed")

    def _is_done(self) -> bool:
        with self._lock:
            idle_s = time.monotonic() - self._held_last_at_s
            self._over = self._closing or (self._holders == 0 and idle_s >= IDLE_S)
            return self._over

    def _turn(self) -> None:
        """Wait until something can be done, and do it."""
        self._wait()
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        self._rung = False  # in this order: who rings from now on is heard in the next turn
        for _ in range(_PACKETS_A_TURN):
            if not self._wire.readable:
                break
            self._transport.pump()
        while self._asked:
            self._tunnels.append(self._asked.popleft())
        open_ones = sum(tunnel.opened for tunnel in self._tunnels)
        for tunnel in self._tunnels:
            tunnel.move(self._transport, others=open_ones > tunnel.opened)
        self._tunnels = [tunnel for tunnel in self._tunnels if not tunnel.over]

    def _wait(self) -> None:
        """Wait for the jump host, the bell, or room in a pair that was full.

        What sessions write is told by the bell: waiting on hundreds of pairs would cost more than
        moving what comes through them.
        """
        silence_s = self._wire.heed_silence()
        waits = [wait_s for each in self._tunnels if (wait_s := each.waits_s) is not None]
        timeout_s = 0.0 if self._wire.readable else min([silence_s, *waits])
        if not self._holders:
            timeout_s = min(timeout_s, IDLE_S)
        wait_ready(
            [self._wire.fileno(), self._bell.fileno()],
            [each.fileno() for each in self._tunnels if each.writes],
            timeout_s=None if timeout_s == math.inf else timeout_s,
        )

    def _end(self, reason: str) -> None:
        with self._lock:
            self._over = True
            left = [*self._tunnels, *self._asked]
        for tunnel in left:
            with contextlib.suppress(SessionError):
                tunnel.end(reason)
        self._wire.deadline = Deadline.after(_GOODBYE_S, "no goodbye")
        with contextlib.suppress(SessionError, OSError):
            self._transport.say_goodbye()
        self._transport.close()
        for opened in (self._bell, self._ringer, self._life):
            opened.close()
