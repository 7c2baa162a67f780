"""A logged-in connection: commands and files over channels; a `fleetrun.session.Session`."""

from __future__ import annotations

import contextlib
import math

from fleetrun.errors import SessionError
from fleetrun.results import Phase
from fleetrun.session import Command, CommandEnd, OnOutput, OnPhase
from fleetrun.ssh.command import RemoteCommand
from fleetrun.ssh.files import SftpFiles
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_GOODBYE_S = 1.0


class SshSession:
    """One connection to one host, over one transport. Used by one thread at a time."""

    def __init__(self, transport: Transport, wire: Wire, on_phase: OnPhase) -> None:
        self._transport = transport
        self._wire = wire
        self._on_phase = on_phase

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        """Run a command to its end, as `fleetrun.session.Session.run` says."""
        return RemoteCommand(
            command,
            transport=self._transport,
            wire=self._wire,
            on_output=on_output,
            on_phase=self._on_phase,
        ).run()

    def files(self, *, timeout_s: float | None) -> SftpFiles:
        """Open the host's files, as `fleetrun.session.Session.files` says."""
        self._on_phase(Phase.SESSION)
        files = SftpFiles(self._transport, self._wire)
        self._on_phase(Phase.TRANSFER)
        self._wire.deadline = Deadline.after(
            timeout_s, f"not done within {timeout_s or 0:g} s (--command-timeout)"
        )
        return files

    def close(self) -> None:
        """Say goodbye within a second, and close; safe to call twice."""
        self._wire.heed_cancel = False
        self._wire.silence_s = math.inf
        self._wire.deadline = Deadline.after(_GOODBYE_S, "no goodbye")
        with contextlib.suppress(SessionError, OSError):
            self._transport.say_goodbye()
        self._transport.close()
