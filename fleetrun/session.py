"""What an operation may ask of a connected host, and how a connection is made. Layer 2 of the road.

`fleetrun.ssh` implements these protocols over paramiko; `fleetrun.testing` implements them in
memory. Nothing below this line of the road knows which it is talking to.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fleetrun.hosts import Host, Secret
from fleetrun.readiness import wait_ready
from fleetrun.results import Phase, Stream

OnPhase = Callable[[Phase], None]
"""Told of each phase as it is entered, by the thread that runs the session."""

OnOutput = Callable[[Stream, bytes], None]
"""Given each piece of output as it arrives, by the thread that runs the session."""


class Cancel:
    """A run's stop button: pressed once, from any thread; seen by every wait of every session.

    `fileno()` becomes readable when it is pressed and stays so, so that a wait on a socket can
    wait on it too (one descriptor pair for a whole run, not one a session). It takes no lock, so
    that a signal handler may press it. Close it when the run is over.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()  # a pipe cannot be waited on in Windows
        self._writer.setblocking(False)
        self._pressed = False

    def press(self) -> None:
        """Cancel the run. Does nothing the second time, or after `close`."""
        if not self._pressed:
            self._pressed = True
            with contextlib.suppress(OSError):  # closed: nobody waits any more
                self._writer.send(b"x")

    @property
    def pressed(self) -> bool:
        """Whether the run was cancelled."""
        return self._pressed

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until the run is cancelled; return whether it is."""
        wait_ready([self.fileno()], timeout_s=seconds)
        return self._pressed

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the run is cancelled."""
        return self._reader.fileno()

    def close(self) -> None:
        """Give the descriptors back. No session of the run may be waiting any more."""
        self._reader.close()
        self._writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A question that a command asks before it begins, as sudo asks for a password.

    Attributes:
        question: bytes on stderr that are the question; taken out of the output.
        answer: what is sent to the question's first coming; a second one is answered by the end
            of input, so that a wrong answer is given once.
        begun: bytes on stderr that say that the command has begun; taken out of the output.
        refused: the sentence for the user when the question came twice.
    """

    question: bytes
    answer: Secret
    begun: bytes
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line and how to run it.

    Attributes:
        line: what the login shell of the host's user is given.
        stdin: what it reads, followed by the end of input.
        timeout_s: seconds after which it is ended; None for no limit.
        pty: whether it gets a terminal, so that it is hung up on when the connection ends.
        confirm_kill: whether its end, when it is ended from here, is to be confirmed by a second
            channel that looks for its process group.
        dialogue: the question it asks first; None when it asks none.
    """

    line: str
    stdin: bytes = b""
    timeout_s: float | None = None
    pty: bool = False
    confirm_kill: bool = False
    dialogue: Dialogue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a remote command ended, as far as it was seen.

    Attributes:
        exit_status: the status that the server sent; None when it sent none.
        signal: name of the signal that ended the command, without SIG; None when there was none.
        note: a sentence for the user about an end that was unusual; None otherwise.
    """

    exit_status: int | None = None
    signal: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """What a server says of a path: size in bytes, permission bits; None where it does not say.

    Special is a device, a pipe or a socket.
    """

    size_bytes: int | None
    mode: int | None
    is_folder: bool
    is_special: bool = False


class RemoteFiles(Protocol):
    """The files of one host, over one channel. Used by one thread; closed by who opened it.

    Paths are the server's: `/` separates, relative ones start at the login folder. Every method
    raises `Refused` when the server says no, in its words, and `DeadlinePassed`, `ConnectionLost`
    or `Cancelled` when it does not get to answer.
    """

    def info(self, path: str) -> FileInfo | None:
        """Return what there is at the path, links followed; None when there is nothing."""

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        """Create the file, which must not exist, write the pieces and return the bytes written.

        Returns only when the server has confirmed every single write and the closing.
        """

    def read(self, path: str) -> Generator[bytes, None, None]:
        """Yield the file's content in order, until the server says that it has ended.

        Closing it early closes the file.
        """

    def replace(self, source: str, target: str) -> None:
        """Rename source to target in one step; an existing target is replaced."""

    def remove(self, path: str) -> None:
        """Remove the file."""

    def discard(self, path: str) -> bool:
        """Remove a file that is of no use, even after an error; return whether it is gone.

        Never raises, and takes a second or two when the time is up already.
        """

    def close(self) -> None:
        """Close the channel; safe to call twice."""


class Session(Protocol):
    """One logged-in connection to one host. Used by one thread at a time; `close` ends it."""

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        """Run the command and return when it has ended.

        Output goes to `on_output` as it comes. Enters the phases session, exec and run; once exec
        is entered, the command counts as handed over. Raises `Refused` when the server will not
        run it (so that it did not run), `ConnectionLost`, or, after ending the command as well as
        it could, `DeadlinePassed` or `Cancelled`, whose `end_seen` and `killed` say how that went.
        """

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        """Open the host's files, with one deadline for all that is done with them.

        Enters the phases session and transfer. Raises `Refused` when the host serves no files.
        """

    def close(self) -> None:
        """End the connection; safe to call twice. Never raises."""


class Connect(Protocol):
    """Makes sessions. Picklable, so that worker processes can make their own."""

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Connect and log in, entering the phases from resolve to auth.

        Raises `ConnectError` (or a subclass), `DeadlinePassed`, `ConnectionLost` or `Cancelled`.
        """


@runtime_checkable
class Reusable(Session, Protocol):
    """A session that can stay open between two runs. Used by one thread at a time.

    in use ─► rest ─► tend … ─► wake ─► in use
    """

    def rest(self) -> bool:
        """Get ready to be idle; return whether it can be used again, else it is to be closed.

        From then on it heeds no run's cancel. Never raises, and waits for nothing.
        """

    def tend(self) -> bool:
        """Answer what the host has asked meanwhile; return whether the connection still stands.

        Called now and then while it is idle. Never raises, and waits for no more than the rest of
        a message that has begun.
        """

    def wake(self, on_phase: OnPhase, cancel: Cancel) -> bool:
        """Get ready for another run; return whether the connection still stands. Never raises."""


@runtime_checkable
class ShowsHostKeys(Protocol):
    """A `Session` that was made to look at a host's keys."""

    def host_keys(self) -> tuple[str, ...]:
        """Return the host's keys, each as a line of known_hosts."""


@runtime_checkable
class WarmsUp(Protocol):
    """A `Connect` that can do beforehand, in a worker process, what its first session would."""

    def warm_up(self) -> None:
        """Import what the sessions need. Never raises for what only a session can know."""


@runtime_checkable
class Gathers(Protocol):
    """A `Connect` that can take along what its sessions need of the machine that began the run.

    For workers on other machines; those on the same one find it where it is.
    """

    def gathered(self, hosts: Sequence[Host]) -> Connect:
        """Return one that has it with it, also when it is pickled.

        Raises `UsageError` with the first thing that is not there or cannot be taken.
        """


@runtime_checkable
class Prepares(Protocol):
    """A `Connect` that can look at what it will need before any host is contacted."""

    def prepare(self, hosts: Sequence[Host]) -> None:
        """Return when all is there; raise `UsageError` with the first thing that is not."""
