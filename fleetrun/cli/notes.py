"""What the command line itself has to say, on standard error."""

from __future__ import annotations

import contextlib
import sys

from fleetrun.output.escape import visible


def note(sentence: str) -> None:
    """Write `fleetrun: sentence` to standard error; never raises, since nobody else could be told.

    Safe in a signal handler: it takes no lock and no buffer. What a terminal would obey in names
    and remote words is escaped.
    """
    if sys.stderr is None:
        return
    line = f"fleetrun: {visible(sentence)}\n".encode()
    with contextlib.suppress(OSError):
        getattr(sys.stderr.buffer, "raw", sys.stderr.buffer).write(line)
