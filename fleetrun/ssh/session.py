"""A logged-in connection: commands and files over channels; a `fleetrun.session.Session`."""

from __future__ import annotations

import contextlib
import math
import time

from fleetrun.errors import Refused, SessionError
from fleetrun.hosts import Host
from fleetrun.results import Phase, Stream
from fleetrun.session import CommandEnd, OnOutput, OnPhase
from fleetrun.ssh.channel import Channel
from fleetrun.ssh.files import SftpFiles
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_STREAMS = {0: Stream.STDOUT, 1: Stream.STDERR}

_LINGER_S = 3.0
"""Silence after an exit status after which output is taken to be over: what still holds it open
is a child that the command left behind."""
_LINGER_MAX_S = 60.0
"""The same for a child that goes on writing."""
_GOODBYE_S = 1.0


class SshSession:
    """One connection to one host, over one transport. Used by one thread at a time."""

    def __init__(self, transport: Transport, wire: Wire, host: Host, on_phase: OnPhase) -> None:
        self._transport = transport
        self._wire = wire
        self._host = host
        self._on_phase = on_phase

    def run(
        self, command: str, *, stdin: bytes, on_output: OnOutput, timeout_s: float | None
    ) -> CommandEnd:
        """Run a command to its end, as `fleetrun.session.Session.run` says."""

        def take(kind: int, data: bytes) -> None:
            if kind in _STREAMS:
                on_output(_STREAMS[kind], data)

        self._on_phase(Phase.SESSION)
        channel = self._transport.open_channel_for(take)
        self._wire.deadline = Deadline.after(
            timeout_s, f"no end within {timeout_s or 0:g} s (--command-timeout)"
        )
        self._on_phase(Phase.EXEC)  # from here on the command may have run
        if not channel.request("exec", command):
            if channel.closed:
                return CommandEnd(note="the host closed the session instead of running it")
            raise Refused("the host refuses to run commands")
        self._on_phase(Phase.RUN)
        self._wire.quick_ack = False
        channel.send_all(stdin)
        channel.send_end()
        return self._await_end(channel)

    def _await_end(self, channel: Channel) -> CommandEnd:
        """Pump until the channel is closed, or nothing more is to be expected of it."""
        while not channel.closed and channel.exit_status is None and channel.signal is None:
            self._transport.pump()
        note = None if channel.closed else self._linger(channel)
        return CommandEnd(exit_status=channel.exit_status, signal=channel.signal, note=note)

    def _linger(self, channel: Channel) -> str | None:
        """Take what output is left after the status; return a note when it was not waited out."""
        give_up_s = time.monotonic() + _LINGER_MAX_S
        while not channel.closed:
            silent_s = self._wire.last_heard_s + _LINGER_S
            until_s = min(silent_s, give_up_s, self._wire.deadline.at_s)
            if not self._wire.wait_readable(until_s):
                return (
                    "it ended, but something that it started still holds its output open; "
                    "redirect that one's output (>/dev/null 2>&1)"
                )
            self._transport.pump()
        return None

    def files(self, *, timeout_s: float | None) -> SftpFiles:
        """Open the host's files, as `fleetrun.session.Session.files` says."""
        self._on_phase(Phase.SESSION)
        files = SftpFiles(self._transport)
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
