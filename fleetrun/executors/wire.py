"""What a supervisor and a worker process say to each other, and how it travels.

    supervisor ── Setup, Job …, Answer, Ping, Hold, CancelAll, RunOver ──► worker
    supervisor ◄── Ready, events …, Ask, log records, Pong, Failed ── worker

Things travel in frames over a line (`fleetrun.executors.line`): eight bytes of length, then a
pickled list of things. Pickles are read from our own workers and supervisors alone.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fleetrun.errors import FleetrunError
from fleetrun.home import Question
from fleetrun.session import Connect

CHUNK_BYTES = 256 * 1024
"""How much is read at once; as much as Linux keeps in a socket pair by default (wmem_default)."""

_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The first thing that a worker is told.

    Attributes:
        connect: makes the sessions.
        width: how many hosts it works on at once.
        most_idle: how many sessions it keeps open between runs; 0 for none.
        log_level: log records below this level are not worth sending.
        away: whether it may be on another machine than the supervisor (see `fleetrun.home`).
    """

    connect: Connect
    width: int
    most_idle: int
    log_level: int
    away: bool = False


@dataclass(frozen=True, slots=True)
class CancelAll:
    """The run is cancelled; a worker is told once a run at most."""


@dataclass(frozen=True, slots=True)
class RunOver:
    """All jobs of a run have finished; those that come from now on are of another run."""


@dataclass(frozen=True, slots=True)
class Ping:
    """A worker from which nothing was heard for a while is asked whether it still listens."""


@dataclass(frozen=True, slots=True)
class Pong:
    """It does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """No job is to be begun any more, for that reason; a worker is told once a run at most."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker takes jobs now.

    Attributes:
        width: how many at once: fewer than asked when threads or open files are short.
        clock: what names its monotonic clock, which all processes of one machine share.
        at_s: what that clock says.
    """

    width: int
    clock: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A worker that is away asks the process that the run belongs to.

    Attributes:
        number: tells its questions apart.
        question: the question.
    """

    number: int
    question: Question[object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the question came to.

    Attributes:
        number: that of the question.
        value: the answer.
        error: what answering raised instead; None when nothing.
    """

    number: int
    value: object
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A worker cannot go on, and ends.

    Attributes:
        reason: a clause that says why.
        hopeless: whether every other worker would fail likewise.
    """

    reason: str
    hopeless: bool


def pack(things: Sequence[object]) -> bytes:
    """Return the frame of the things; raises `FleetrunError` when one cannot be pickled."""
    try:
        data = pickle.dumps(list(things), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # which one is up to the class of the thing
        raise FleetrunError(
            f"cannot be sent to a worker process: {error}; use a mode without worker processes, "
            "or make it picklable"
        ) from error
    return _LENGTH.pack(len(data)) + data


class Unpacker:
    """Puts frames together again from pieces that end anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes) -> Iterator[object]:
        """Take the next piece and yield the things in the frames that it completes.

        Raises whatever the unpickling of a thing raises.
        """
        self._buffer += piece
        while (end := self._frame_end()) is not None:
            data = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield from pickle.loads(data)  # noqa: S301 (written by our own parent or child)

    def _frame_end(self) -> int | None:
        """Return where the first frame ends in the buffer; None when it is not whole."""
        if len(self._buffer) < _LENGTH.size:
            return None
        end = _LENGTH.size + int(_LENGTH.unpack_from(self._buffer)[0])
        return end if len(self._buffer) >= end else None
