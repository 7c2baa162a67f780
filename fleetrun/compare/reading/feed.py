"""The far side of the streams: connections to this machine, which say their pieces by schedule.

    python feed.py

Says its port; then, for each line with a number, takes that many connections, says `ready`, waits
for a line, plays the schedule, and says when it began, on the monotonic clock. Ends when its input
does. Run by path, as a process of its own: what it does is not in the reader's account.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the schedule, which stands beside it
from schedule import PIECE, PIECES, moments  # type: ignore[import-not-found]

_BACKLOG = 4096


def main() -> None:
    """Serve until the input ends."""
    _raise_descriptor_limit()
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
        _say(listening.getsockname()[1])
        for line in sys.stdin:
            streams = [listening.accept()[0] for _ in range(int(line))]
            _say("ready")
            sys.stdin.readline()
            _say(play(streams))


def play(streams: list[socket.socket]) -> float:
    """Say each piece at its moment, and close each stream after its last; return when it began."""
    pieces = sorted(
        (moment_s, number, nth)
        for number in range(len(streams))
        for nth, moment_s in enumerate(moments(number), start=1)
    )
    began_s = time.monotonic()
    for moment_s, number, nth in pieces:
        time.sleep(max(0.0, began_s + moment_s - time.monotonic()))
        with suppress(OSError):  # the reader has given up
            streams[number].sendall(PIECE)
        if nth == PIECES:
            streams[number].close()
    return began_s


def _say(word: object) -> None:
    print(word, flush=True)  # noqa: T201 (stdout is the parent's pipe)


def _raise_descriptor_limit() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 (there is none on Windows)

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
