"""What a lab host does with a connection: who may log in, and what a channel gets.

connection ──► LabServer ──► LabSession ──► Command  (a shell)
                                       └──► LabFiles (SFTP)
"""

from __future__ import annotations

import os
import signal

import asyncssh

from fleetrun.hosts import current_user
from fleetrun.lab.command import Command, LabHost
from fleetrun.lab.files import LabFiles

_SFTP_VERSION = 3
_CANNOT_START = 126
"""What a shell returns for a command that is there and cannot be run (POSIX, XCU 2.8.2)."""


class LabServer(asyncssh.SSHServer):
    """One connection to one host: lets the lab's user in, with the lab's key and nothing else."""

    def __init__(self, host: LabHost, key: asyncssh.SSHKey) -> None:
        self._host = host
        self._key = key

    def public_key_auth_supported(self) -> bool:
        """Offer the only way in."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Return whether this is the lab's user with the lab's key."""
        return username == current_user() and key.public_data == self._key.public_data

    def session_requested(self) -> LabSession:
        """Give a channel its session."""
        return LabSession(self._host)


class LabSession(asyncssh.SSHServerProcess[bytes]):
    """One channel of one client: a command, a shell that reads its input, or SFTP."""

    def __init__(self, host: LabHost) -> None:
        super().__init__(
            lambda _: self._serve(),
            lambda _: LabFiles(self.channel, os.fsencode(host.folder)),
            _SFTP_VERSION,
            allow_scp=False,
        )
        self._host = host
        self._running: Command | None = None
        self._is_lost = False

    async def _serve(self) -> None:
        try:
            self._running = await Command.start(self._host, self.command)
        except OSError as error:
            self.stderr.write(f"the lab cannot start a shell: {error}\n".encode())
            self.exit(_CANNOT_START)
            return
        try:
            if not self._is_lost:
                self._say_end(await self._running.relay(self))
        finally:
            await self._running.end()
            self._running = None  # its number may soon be another's

    def _say_end(self, status: int) -> None:
        if status >= 0:
            self.exit(status)
        else:
            self.exit_with_signal(_signal_name(-status))

    def connection_lost(self, exc: Exception | None) -> None:
        """Kill the command: nobody is left to read it."""
        super().connection_lost(exc)
        self._is_lost = True
        if self._running is not None:
            self._running.kill()

    def subsystem_requested(self, subsystem: str) -> bool:
        """Serve SFTP and no other subsystem."""
        return subsystem == "sftp"

    def signal_received(self, name: str) -> None:
        """Pass a signal on; one that this machine does not know is ignored."""
        if self._running is not None and f"SIG{name}" in signal.Signals.__members__:
            self._running.signal(signal.Signals[f"SIG{name}"])

    def break_received(self, msec: int) -> bool:  # noqa: ARG002 (asyncssh's signature)
        """Refuse: there is no terminal that could break."""
        return False

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Ignore: there is no terminal."""


def _signal_name(number: int) -> str:
    """Return the name without SIG, or the number of a signal that has no name (real time)."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)
