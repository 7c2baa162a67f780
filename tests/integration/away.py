"""A worker's machine, as far as files and the environment go: a process with a home of its own.

this process, at home ─► connect, hosts, command ─► main()
                      ◄─ question ─ … ─ answer ─►
                      ◄─ how each session ended
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fleetrun import Host, home
from fleetrun.errors import FleetrunError
from fleetrun.session import Cancel, Command, Connect, WarmsUp

_FOUND = {"PYTHONPATH": str(Path(__file__).parent)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a session on the worker's machine ended: what the command wrote, or the error."""

    output: bytes = b""
    error: FleetrunError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayMachine:
    """A machine whose processes have one folder for all that they may write, and no agent.

    Attributes:
        folder: their home, where temporary files go, and where they are.
        asked: the questions that were asked at home, in order.
    """

    folder: Path
    asked: list[object] = field(default_factory=list)

    def run(self, connect: Connect, *hosts: Host, command: str = "echo here") -> list[Ended]:
        """Run a command on the hosts from there, one after the other, in one process."""
        kept = {name: os.environ[name] for name in ("PATH", "FLEETRUN_SSH_CONFIG")}
        with subprocess.Popen(
            [sys.executable, "-c", "from away import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, **dict.fromkeys(("HOME", "TMPDIR"), str(self.folder)), **_FOUND},
            cwd=self.folder,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            _send(process.stdin, (connect, hosts, command))
            while not isinstance(said := _receive(process.stdout), list):
                self.asked.append(said)
                _send(process.stdin, _answer(said))
        return said


def _answer(question: home.Question[object]) -> tuple[object, Exception | None]:
    try:
        return question.answer(), None
    except (FleetrunError, OSError) as error:
        return None, error


def _send(stream: BinaryIO, thing: object) -> None:
    pickle.dump(thing, stream)
    stream.flush()


def _receive(stream: BinaryIO) -> object:
    thing: object = pickle.load(stream)  # noqa: S301 (from our own process)
    return thing


def main() -> None:
    """Be the worker."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer

    def ask(question: object) -> object:
        _send(stdout, question)
        answer, error = _receive(stdin)  # type: ignore[misc]
        if error is not None:
            raise error
        return answer

    home.work_away(ask)
    connect, hosts, command = _receive(stdin)  # type: ignore[misc]
    if isinstance(connect, WarmsUp):
        connect.warm_up()
    _send(stdout, [_run(connect, host, command) for host in hosts])


def _run(connect: Connect, host: Host, command: str) -> Ended:
    written: list[bytes] = []
    try:
        session = connect(host, lambda _phase: None, Cancel())
        try:
            session.run(Command(line=command), lambda _stream, data: written.append(data))
        finally:
            session.close()
    except FleetrunError as error:
        return Ended(error=error)
    return Ended(output=b"".join(written))


if __name__ == "__main__":
    main()
