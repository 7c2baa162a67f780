"""One worker process, as its supervisor holds it: a socket, a child, the jobs it was given."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence

from fleetrun.executors.mode import Carrier
from fleetrun.executors.vigil import Vigil
from fleetrun.executors.wire import CHUNK_BYTES, Unpacker, pack
from fleetrun.job import Job

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


class WorkerProcess:
    """A worker process. Used by one thread.

    It has a process group of its own, so that a terminal's Ctrl-C reaches this process alone. It
    ends when its socket is closed, be it because this process died.

    Attributes:
        width: how many jobs it takes at once; 0 until it has said that it is ready.
        jobs: what it was given and has not finished, by host name.
        fault: why it cannot be used, as far as that is known.
        vigil: the watch over it.

    Raises `OSError` when it cannot be started.
    """

    def __init__(self, setup: bytes, carrier: Carrier) -> None:
        self.width = 0
        self.jobs: dict[str, Job] = {}
        self.fault: str | None = None
        self.vigil = Vigil()
        self._unpacker = Unpacker()
        self._unsent = bytearray(setup)
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

    @property
    def has_unsent(self) -> bool:
        """Whether something could not be sent yet: `send` again when the socket takes more."""
        return bool(self._unsent)

    def give(self, jobs: Sequence[Job]) -> None:
        """Give it jobs. Raises `FleetrunError`, and has given none, when one cannot be pickled."""
        self._unsent += pack(jobs)
        self.jobs.update((job.host.name, job) for job in jobs)
        self.send()

    def tell(self, thing: object) -> None:
        """Tell it something else."""
        self._unsent += pack([thing])
        self.send()

    def send(self) -> None:
        """Send as much of what is unsent as the socket takes."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:  # it died: that is read from the socket, after its last words
            self._unsent.clear()

    def receive(self) -> Iterator[object] | None:
        """Return what it says, as much as there is up to 256 KiB; None when it has died."""
        try:
            piece = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return iter(())
        except OSError:  # it died with words of ours unread (ECONNRESET)
            return None
        return self._unpacker.feed(piece) if piece else None

    def kill(self) -> None:
        """End it by force; what it said before can still be received."""
        self._process.kill()

    def hang_up(self) -> None:
        """Close the socket, which ends it."""
        self._socket.close()

    def wait(self) -> str:
        """Wait for its end, which must be near, and return what it was: a clause."""
        try:
            status = self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self.fault is not None:
            return self.fault
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
