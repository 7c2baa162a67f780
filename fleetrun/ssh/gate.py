"""How many handshakes go on at once with one address.

sshd drops connections when ten of them have not logged in yet (MaxStartups 10:30:100), and says so
only in its own log. Hosts behind one address, or one alias many times, would hit that at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fleetrun.errors import Cancelled, DeadlinePassed
from fleetrun.session import Cancel
from fleetrun.ssh.wire import Deadline

MAX_HANDSHAKES = 8
_LOOK_S = 0.1

_changed = threading.Condition()
_under_way: Counter[tuple[str, int]] = Counter()


@contextmanager
def handshake_slot(address: tuple[str, int], deadline: Deadline, cancel: Cancel) -> Iterator[None]:
    """Hold one of the places for handshakes with the address, waiting for it until the deadline."""
    with _changed:
        while _under_way[address] >= MAX_HANDSHAKES:
            if cancel.pressed:
                raise Cancelled("cancelled while it waited for its turn to connect")
            if time.monotonic() >= deadline.at_s:
                raise DeadlinePassed(f"{deadline.sentence} (others were connecting to it)")
            _changed.wait(_LOOK_S)
        _under_way[address] += 1
    try:
        yield
    finally:
        with _changed:
            _under_way[address] -= 1
            if not _under_way[address]:
                del _under_way[address]
            _changed.notify()
