"""A command on a lab host: a real shell in a process group of its own. In the servers' process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from fleetrun.hosts import current_user

_PIECE_BYTES = 65_536
_END_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabHost:
    """One host of the lab: its name, and the folder that is its home and all that it serves."""

    name: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a command finds in its environment: what sshd gives, and the host's name."""
        user = current_user()
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/sh",
            "FLEETRUN_LAB_HOST": self.name,
        }


class Command:
    """A running shell: made by `start`, relayed by `relay`, ended by `end`, whatever happened."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, host: LabHost, text: str | None) -> Command:
        """Start `/bin/sh -c text`, or a shell that reads its standard input when text is None.

        It leads a session of its own, so that it has no terminal and can be ended with all that
        it starts. Raises `OSError` when it cannot be started.
        """
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            *([] if text is None else ["-c", text]),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=host.folder,
            env=host.environment,
            start_new_session=True,
        )
        return cls(process)

    async def relay(self, channel: asyncssh.SSHServerProcess[bytes]) -> int:
        """Pass the streams on, each as fast as its reader takes it, until the output has ended.

        Returns the exit status, or a signal's number, negative.
        """
        process = self._process
        assert process.stdin and process.stdout and process.stderr  # noqa: PT018, S101 (pipes)
        feeding = asyncio.create_task(_feed(channel.stdin, process.stdin))
        try:
            await asyncio.gather(
                _pass_on(process.stdout, channel.stdout), _pass_on(process.stderr, channel.stderr)
            )
            return await process.wait()
        finally:
            feeding.cancel()

    def signal(self, number: int) -> None:
        """Send a signal to the command and to all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """Kill whatever is left of the command."""
        self.signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kill the command, and wait for its end and that of its output, within a bound."""
        self.kill()
        with contextlib.suppress(TimeoutError):  # what has left the group may hold the output
            await asyncio.wait_for(self._process.communicate(), _END_WITHIN_S)


async def _pass_on(output: asyncio.StreamReader, channel: asyncssh.SSHWriter[bytes]) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):  # the client is gone, and so the command
        while piece := await output.read(_PIECE_BYTES):
            channel.write(piece)
            await channel.drain()


async def _feed(channel: asyncssh.SSHReader[bytes], stdin: asyncio.StreamWriter) -> None:
    """Give the command its input; what it does not want is thrown away, as sshd does."""
    wanted = True
    try:
        while piece := await channel.read(_PIECE_BYTES):
            if wanted:
                wanted = await _give(stdin, piece)
    except (OSError, asyncssh.Error):
        pass  # the client is gone, and so the command
    finally:
        stdin.close()


async def _give(stdin: asyncio.StreamWriter, piece: bytes) -> bool:
    """Write one piece; return whether the command still reads."""
    try:
        stdin.write(piece)
        await stdin.drain()
    except OSError:
        return False
    return True
