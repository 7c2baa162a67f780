"""Workers that are not at home: this process as if it were one, and another process that is one."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast

from memory_session import MemorySession, ignore

from fleetrun import home
from fleetrun.hosts import Host
from fleetrun.operations import Ending, Get, Put
from fleetrun.session import FileInfo
from fleetrun.testing import FakeFiles

Transfer = Put | Get
_Message = TypeVar("_Message")
_FOLDER = Path(__file__).parent


@dataclass
class Home:
    """Answers what this process asks, one question after another, as over a wire.

    Attributes:
        asked: the names of the kinds of the questions, in order.
        most_bytes: how large the largest message was, of questions and answers.
    """

    asked: list[str] = field(default_factory=list)
    most_bytes: int = 0
    answering: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: home.Question[object]) -> object:
        """Return the answer."""
        with self.answering:
            self.asked.append(type(question).__name__)
            answer, error = self._sent(answered(self._sent(question)))
        if error is not None:
            raise error
        return answer

    def _sent(self, message: _Message) -> _Message:
        packed = pickle.dumps(message)
        self.most_bytes = max(self.most_bytes, len(packed))
        return cast("_Message", pickle.loads(packed))  # noqa: S301 (just packed)


def answered(question: home.Question[object]) -> tuple[object, Exception | None]:
    """Return the answer, or what answering raises."""
    try:
        return question.answer(), None
    except Exception as error:  # noqa: BLE001 (it goes to the one who asked)
        return None, error


# --- another process -----------------------------------------------------------------------------


class Dying(FakeFiles):
    """A host in the middle of whose file the process that reads it is killed."""

    def info(self, path: str) -> FileInfo | None:  # noqa: ARG002
        return FileInfo(size_bytes=1 << 20, mode=0o644, is_folder=False)

    def read(self, path: str) -> Generator[bytes, None, None]:  # noqa: ARG002
        yield bytes(600_000)
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An operation, and the hosts that it is performed on, all at once."""

    operation: Transfer
    hosts: Sequence[Host]
    remotes: Sequence[FakeFiles]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it, a host each."""

    endings: Sequence[Ending]
    contents: Sequence[dict[str, bytes]]
    modes: Sequence[dict[str, int]]


class WorkerElsewhere:
    """A process with another current folder, which asks this one over a pipe.

    Attributes:
        asked: the names of the kinds of questions that it has asked.
    """

    def __init__(self, folder: Path, *, greenlets: bool = False) -> None:
        self.asked: list[str] = []
        self._ours, theirs = Pipe()
        patch = "from gevent import monkey; monkey.patch_all(); " if greenlets else ""
        code = f"{patch}import elsewhere; elsewhere.main({theirs.fileno()})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(_FOLDER)},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def perform(self, operation: Transfer, *remotes: FakeFiles) -> Done | None:
        """Perform it on as many hosts; None when the process dies on the way."""
        hosts = [Host(name=f"web{number}") for number in range(1, len(remotes) + 1)]
        self._ours.send(Work(operation=operation, hosts=hosts, remotes=remotes))
        while True:
            try:
                thing = self._ours.recv()
            except EOFError:
                return None
            if isinstance(thing, Done):
                return thing
            self.asked.append(type(thing).__name__)
            self._ours.send(answered(thing))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ours.close()
        self._process.wait(timeout=30)


def main(descriptor: int) -> None:
    """Serve the other process until it hangs up."""
    connection = Connection(descriptor)
    asking = threading.Lock()

    def ask(question: home.Question[object]) -> object:
        with asking:
            connection.send(question)
            answer, error = connection.recv()
        if error is not None:
            raise error
        return answer

    home.work_away(ask)
    while True:
        try:
            work = connection.recv()
        except EOFError:
            return
        connection.send(_do(work))


def _do(work: Work) -> Done:
    endings: dict[str, Ending] = {}

    def perform(host: Host, remote: FakeFiles) -> None:
        session = MemorySession(remote=remote)
        endings[host.name] = work.operation.perform(host, session, ignore)

    pairs = zip(work.hosts, work.remotes, strict=True)
    threads = [threading.Thread(target=perform, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Done(
        endings=[endings[host.name] for host in work.hosts],
        contents=[remote.contents for remote in work.remotes],
        modes=[remote.modes for remote in work.remotes],
    )
