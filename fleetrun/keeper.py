"""Sessions that stay open between the calls of a fleet, and who answers for them. Layer 3.

host ─► Keeper ─┬─ one is idle ─► wake ─┬─► session in use ─► rest ─► idle
                └─ none ─► connect ─────┘                      │       │ tend, every second
                                             cannot be used again      │ too old, or broken
                                                               └─► closed ◄─┘
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from fleetrun.hosts import Host
from fleetrun.session import (
    Cancel,
    Command,
    CommandEnd,
    Connect,
    OnOutput,
    OnPhase,
    RemoteFiles,
    Reusable,
    Session,
)

IDLE_S = 300.0
"""How long a session stays open that nobody uses; a firewall may forget it after as long."""

_LOOK_S = 1.0
"""How often idle sessions are tended: twice within the shortest wait of a server that asks for
signs of life (ClientAliveInterval 1, three times)."""


@dataclass(slots=True, kw_only=True)
class _Idle:
    session: Reusable
    since_s: float
    in_hand: threading.Lock = field(default_factory=threading.Lock)


class Keeper:
    """A `Connect` that keeps sessions open after use, one a host. For any number of threads.

    A session is kept when it can be used again (`fleetrun.session.Reusable`) and there is room.
    Those that are idle are tended by one thread, which answers their hosts' signs of life and
    exchanges of keys, asks for signs of life itself, and closes what is broken or idle for long.

    Args:
        connect: makes the sessions.
        most: how many may be idle at once. When that many are, no other is kept.
        idle_s: seconds after which an idle one is closed.

    Raises what `fleetrun.session.Connect` says.
    """

    def __init__(self, connect: Connect, *, most: int, idle_s: float = IDLE_S) -> None:
        self._connect = connect
        self._most = most
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._idle: dict[str, _Idle] = {}
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Return the host's idle session, which enters no phase of a login, or a new one."""
        with self._lock:
            idle = self._idle.pop(host.name, None)
        if idle is not None:
            with idle.in_hand:  # it may be tended just now
                if idle.session.wake(on_phase, cancel):
                    return _Kept(self, host.name, idle.session)
                idle.session.close()
        session = self._connect(host, on_phase, cancel)
        return _Kept(self, host.name, session) if isinstance(session, Reusable) else session

    def give_back(self, name: str, session: Reusable) -> None:
        """Take a session that is not used any more: keep it or close it."""
        if not (self._has_room(name) and session.rest() and self._keep(name, session)):
            session.close()

    def close(self) -> None:
        """Close what is idle, and what is given back from now on; safe to call twice.

        Takes what the goodbyes take, which wait for no host, and a second at most for each whose
        connection is stuck.
        """
        self._over.set()
        with self._lock:
            left, thread = list(self._idle.values()), self._thread
            self._idle.clear()
        for idle in left:
            with idle.in_hand:
                idle.session.close()
        if thread is not None:
            thread.join()

    def _has_room(self, name: str) -> bool:
        return not (self._over.is_set() or name in self._idle or len(self._idle) >= self._most)

    def _keep(self, name: str, session: Reusable) -> bool:
        with self._lock:
            if not self._has_room(name) or not self._has_thread():
                return False
            self._idle[name] = _Idle(session=session, since_s=time.monotonic())
            return True

    def _has_thread(self) -> bool:
        """Start the thread if there is none; return whether there is one."""
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="fleetrun-keeper", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread is to be had, so nobody could answer for a session
                return False
            self._thread = thread
        return True

    # --- its own thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._over.wait(_LOOK_S):
            with self._lock:
                all_idle = list(self._idle.items())
            for name, idle in all_idle:
                self._look_after(name, idle)

    def _look_after(self, name: str, idle: _Idle) -> None:
        if not idle.in_hand.acquire(blocking=False):
            return  # it is wanted, or closed
        try:
            if self._idle.get(name) is not idle:
                return
            young = time.monotonic() < idle.since_s + self._idle_s
            if not (young and idle.session.tend()):
                with self._lock:
                    if self._idle.get(name) is idle:
                        del self._idle[name]
                idle.session.close()  # whoever has just taken it finds it closed, and connects
        finally:
            idle.in_hand.release()


class _Kept:
    """A session of a keeper's, in use: its closing gives it back."""

    def __init__(self, keeper: Keeper, name: str, session: Reusable) -> None:
        self._keeper = keeper
        self._name = name
        self._session = session
        self._given_back = False

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        """Run the command over it."""
        return self._session.run(command, on_output)

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        """Open the host's files over it."""
        return self._session.files(timeout_s=timeout_s)

    def close(self) -> None:
        """Give it back; safe to call twice."""
        if not self._given_back:
            self._given_back = True
            self._keeper.give_back(self._name, self._session)
