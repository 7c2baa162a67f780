"""When each output says what: the same every time. Also read by `feed.py`, so it imports little."""

from __future__ import annotations

import random

PIECES = 5
PIECE = b"x" * 99 + b"\n"
"""About what `uptime` prints."""

BEGIN_S, END_S = 0.1, 1.0


def moments(number: int) -> list[float]:
    """Return when output number says its pieces, in seconds after the word to begin.

    They lie anywhere between `BEGIN_S` and `END_S`; the last one is followed by the end.
    """
    chance = random.Random(number)  # noqa: S311 (a schedule, no secret)
    return sorted(chance.uniform(BEGIN_S, END_S) for _ in range(PIECES))


def shell_script(number: int) -> str:
    """Return the command that does so on a host, after a line on its standard input."""
    at_s, steps = 0.0, ["read go"]
    for moment_s in moments(number):
        steps += [f"sleep {moment_s - at_s:.4f}", f"echo {PIECE.decode().rstrip()}"]
        at_s = moment_s
    return "; ".join(steps)
