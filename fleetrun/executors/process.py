"""Worker processes on this machine: each a child, at the other end of a socket pair."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence

from fleetrun.executors.line import Line, Opening, Site
from fleetrun.executors.mode import Carrier
from fleetrun.executors.wire import CHUNK_BYTES

_EXIT_S = 1.0
"""How long a worker may take to exit once its socket is closed, before it is killed."""

_SIGNALS = {signum.value: signum.name for signum in signal.Signals}

_BOOT = (
    "import sys; carrier, fd, *sys.path = sys.argv[1:]\n"
    "if carrier == 'greenlets': from gevent import monkey; monkey.patch_all()\n"
    "from fleetrun.executors.worker import main; main(int(fd))"
)
"""A worker imports what this process imports, from the same places, and never its `__main__`.

Where greenlets carry the hosts, gevent patches the standard library as the worker's first act:
what is imported after that, the pool of threads and paramiko included, waits by switching.

Not `-m`, which would look for modules in the current folder first, and not multiprocessing, which
would ask every script for an `if __name__ == "__main__"`.
"""


class ThisMachine:
    """The `Workplace` of modes that stay on this machine.

    Args:
        carrier: what carries the hosts in the workers.
    """

    patience_s = 0.0

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def openings(
        self, wanted: Mapping[Site, int], *, planned: int, hired: int
    ) -> Sequence[Opening]:
        """Return a start of a child process for each worker that is missing."""
        del wanted
        return [self._start] * (planned - hired)

    def serves(self, site: Site) -> bool:
        """Return True: a child reaches whatever this process reaches."""
        del site
        return True

    def close(self) -> None:
        """Do nothing."""

    def _start(self) -> Line:
        return WorkerProcess(self._carrier)


class WorkerProcess:
    """A worker process of this machine, and the `Line` to it.

    It has a process group of its own, so that a terminal's Ctrl-C reaches this process alone. It
    ends when its socket is closed, be it because this process died.

    Raises `OSError` when it cannot be started.
    """

    sites: frozenset[str] = frozenset()
    is_leaving = False
    is_idle = False
    is_exact = True
    """What it said lies in the socket, whatever became of it."""

    def __init__(self, carrier: Carrier) -> None:
        self.departed_bytes = 0
        self._socket, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = _start(theirs.fileno(), carrier)
            except BaseException:
                self._socket.close()
                raise
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor of this end of the socket."""
        return self._socket.fileno()

    def send(self, data: bytearray) -> int:
        """Send as much as the socket takes at once."""
        sent = self._socket.send(data)
        self.departed_bytes += sent
        return sent

    def receive(self) -> bytes:
        """Return what there is, up to 256 KiB."""
        return self._socket.recv(CHUNK_BYTES)

    def kill(self) -> None:
        """End it by force."""
        self._process.kill()

    def hang_up(self) -> None:
        """Close the socket, which ends it."""
        self._socket.close()

    def wait(self) -> str:
        """Wait for its end; return the signal that ended it, or its exit status."""
        try:
            status = self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if status < 0:
            return f"killed by {_SIGNALS.get(-status, f'signal {-status}')}"
        return f"exit status {status}"


def _start(descriptor: int, carrier: Carrier) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT, carrier, str(descriptor), *sys.path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(descriptor,),
        process_group=0,
    )
