"""Whether a worker process still lives behind its socket: one that hangs says nothing and stays.

started ── 30 s ──► given up              until it is ready
heard ── 10 s ──► asked ── 20 s ──► given up
  ▲                 │
  └── any word ◄────┘
"""

from __future__ import annotations

import time

READY_BOUND_S = 30.0
"""How long a worker may take to start, on a machine that has much else to do."""
QUIET_S = 10.0
"""How long nothing is heard of a worker before it is asked whether it still listens."""
ANSWER_BOUND_S = 20.0
"""How long it may take to answer: its one thread may be in the middle of a long computation."""


class Vigil:
    """The watch over one worker. Used by one thread, which hears before it judges.

    So the time that the supervisor's caller takes never counts against a worker: what it said
    meanwhile lies in its socket, and is heard first.
    """

    def __init__(self) -> None:
        self._ready = False
        self._asked = False
        self._until_s = time.monotonic() + READY_BOUND_S

    def hear(self, *, ready: bool) -> None:
        """Note that something was heard, and whether the worker is ready for jobs."""
        self._ready, self._asked = ready, False
        if ready:
            self._until_s = time.monotonic() + QUIET_S

    @property
    def left_s(self) -> float:
        """How many seconds there are until something is to be done about it; 0 or less: now."""
        return self._until_s - time.monotonic()

    def ask(self) -> bool:
        """Return whether the worker is to be asked now for a sign of life."""
        if not self._ready or self._asked or self.left_s > 0:
            return False
        self._asked = True
        self._until_s = time.monotonic() + ANSWER_BOUND_S
        return True

    def give_up(self) -> str | None:
        """Return why the worker is to be given up, a clause; None while it is not."""
        if self.left_s > 0 or (self._ready and not self._asked):
            return None
        self._until_s += ANSWER_BOUND_S  # by then its death was heard
        if self._ready:
            return f"it did not answer for {ANSWER_BOUND_S:g} s"
        return f"it was not ready within {READY_BOUND_S:g} s"
