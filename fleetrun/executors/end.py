"""The supervisor's end of one worker: jobs go in, things that the worker says come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.executors.line import Line
from fleetrun.executors.vigil import Vigil
from fleetrun.executors.wire import Unpacker, pack
from fleetrun.job import Job


class WorkerEnd:
    """A worker, as its supervisor holds it. Used by one thread.

    Args:
        line: the way to it; closed by `hang_up`.
        setup: the frame of the first thing that it is told.

    Attributes:
        width: how many jobs it takes at once; 0 until it has said that it is ready.
        clock_ahead_s: how far its monotonic clock is ahead of the one here, in seconds.
        jobs: what it was given and has not finished, by host name.
        fault: why it cannot be used, as far as that is known.
        vigil: the watch over it.
    """

    def __init__(self, line: Line, setup: bytes) -> None:
        self.width = 0
        self.clock_ahead_s = 0.0
        self.jobs: dict[str, Job] = {}
        self.fault: str | None = None
        self.vigil = Vigil()
        self._line = line
        self._unpacker = Unpacker()
        self._unsent = bytearray()
        self._packed_bytes = 0
        self._given_at: dict[str, int] = {}
        self.tell_packed(setup)

    @property
    def sites(self) -> frozenset[str]:
        """The names of the places that it stands in."""
        return self._line.sites

    @property
    def is_leaving(self) -> bool:
        """Whether it is to be given nothing more."""
        return self._line.is_leaving

    def rest(self, *, idle: bool) -> None:
        """Note whether it has nothing to do for a while, so that it may leave meanwhile."""
        self._line.is_idle = idle

    @property
    def is_exact(self) -> bool:
        """Whether, once it has died, it is known for each of its jobs how far it came."""
        return self._line.is_exact

    def fileno(self) -> int:
        """Return the descriptor that tells of its words, and of room for ours."""
        return self._line.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether something could not be sent yet: `send` again when there is room."""
        return bool(self._unsent)

    def give(self, jobs: Sequence[Job]) -> None:
        """Give it jobs. Raises `FleetrunError`, and has given none, when one cannot be pickled."""
        frame = pack(jobs)
        for job in jobs:
            self.jobs[job.host.name] = job
            self._given_at[job.host.name] = self._packed_bytes
        self.tell_packed(frame)

    def tell(self, thing: object) -> None:
        """Tell it something else."""
        self.tell_packed(pack([thing]))

    def tell_packed(self, frame: bytes) -> None:
        """Tell it what is in a frame."""
        self._unsent += frame
        self._packed_bytes += len(frame)
        self.send()

    def finish(self, host: str) -> None:
        """Note that its job on the host has finished."""
        del self.jobs[host], self._given_at[host]

    def may_have(self, job: Job) -> bool:
        """Whether any byte of a job that it was given may have reached it."""
        return self._given_at[job.host.name] < self._line.departed_bytes

    def send(self) -> None:
        """Send as much of what is unsent as the line takes."""
        try:
            while self._unsent:
                del self._unsent[: self._line.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:  # it died: that is heard from the line, after its last words
            self._unsent.clear()

    def receive(self) -> Iterator[object] | None:
        """Return what it says, as much as there is at once; None when it has died."""
        try:
            piece = self._line.receive()
        except BlockingIOError:
            return iter(())
        except OSError:  # it died with words of ours unread (ECONNRESET)
            return None
        return self._unpacker.feed(piece) if piece else None

    def kill(self) -> None:
        """End it by force; what it said before can still be received."""
        self._line.kill()

    def hang_up(self) -> None:
        """Close the line, which ends it."""
        self._line.hang_up()

    def wait(self) -> str:
        """Wait for its end, which must be near, and return what it was: a clause."""
        ended = self._line.wait()
        return ended if self.fault is None else self.fault
