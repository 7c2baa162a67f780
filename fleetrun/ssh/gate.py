"""How many handshakes go on at once with one address.

sshd drops connections when ten of them have not logged in yet (MaxStartups 10:30:100), and says so
in half a sentence at best. Hosts behind one address, or one alias many times, would hit that at
once. When a server drops one all the same, the address is given fewer places and asked again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fleetrun.errors import Cancelled, DeadlinePassed
from fleetrun.session import Cancel
from fleetrun.ssh.wire import Deadline

MAX_HANDSHAKES = 8
_LOOK_S = 0.1

_Address = tuple[str, int]


class Gate:
    """The places for handshakes, by address. Shared by all threads of a process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: dict[_Address, int] = {}
        self._limits: dict[_Address, int] = {}

    @contextmanager
    def place(self, address: _Address, deadline: Deadline, cancel: Cancel) -> Iterator[None]:
        """Hold one of the address's places, waiting for it until the deadline.

        Raises `DeadlinePassed` or `Cancelled`.
        """
        with self._changed:
            while self._under_way.get(address, 0) >= self._limits.get(address, MAX_HANDSHAKES):
                if cancel.pressed:
                    raise Cancelled("cancelled while it waited for its turn to connect")
                if time.monotonic() >= deadline.at_s:
                    raise DeadlinePassed(f"{deadline.sentence} (others were connecting to it)")
                self._changed.wait(_LOOK_S)
            self._under_way[address] = self._under_way.get(address, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way[address] -= 1
                if not self._under_way[address]:
                    del self._under_way[address]
                self._changed.notify()

    def crowded(self, address: _Address) -> bool:
        """Whether others of ours are in the middle of a handshake with the address."""
        with self._changed:
            return self._under_way.get(address, 0) > 1

    def narrow(self, address: _Address) -> None:
        """Give the address half the places, one at least, for the rest of the process."""
        with self._changed:
            limit = self._limits.get(address, MAX_HANDSHAKES)
            self._limits[address] = max(1, limit // 2)


GATE = Gate()
