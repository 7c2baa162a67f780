"""A logged-in connection: commands and files over channels; a `fleetrun.session.Session`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

from fleetrun.errors import Refused, SessionError
from fleetrun.results import Phase
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase
from fleetrun.ssh.command import RemoteCommand
from fleetrun.ssh.files import SftpFiles
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_GOODBYE_S = 1.0
_TEND_S = 1.0
"""What the rest of a message gets that has begun while nobody uses the session."""


class SshSession:
    """One connection to one host, over one transport. Used by one thread at a time.

    It can be used again (`fleetrun.session.Reusable`). When it is put to rest, the channel that
    will be wanted next is asked for, so that the next command takes one round trip.

    Args:
        transport: the connection, logged in.
        wire: what it is built on.
        on_phase: told of each phase.
        login_timeout_s: seconds that the opening of a channel may take when it is used again.
    """

    def __init__(
        self, transport: Transport, wire: Wire, on_phase: OnPhase, *, login_timeout_s: float
    ) -> None:
        self._transport = transport
        self._wire = wire
        self._on_phase = on_phase
        self._login_timeout_s = login_timeout_s

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

    # --- between two runs (fleetrun.session.Reusable) ------------------------------------------

    def rest(self) -> bool:
        """Ask for the next channel, unless something is still under way or the way is broken."""
        if not self._transport.is_idle:
            return False
        self._wire.heed_cancel = False
        return self._stands_after(self._prepare, within_s=0.0)

    def _prepare(self) -> None:
        self._transport.prepare_channel()
        self._wire.flush()

    def tend(self) -> bool:
        """Take what has come, and ask for a sign of life when nothing has for long."""
        return self._stands_after(self._catch_up, within_s=_TEND_S)

    def wake(self, on_phase: OnPhase, cancel: Cancel) -> bool:
        """Take what has come, and go over to another run once the next channel is open.

        So a connection that has ended is found out here, before anything is handed over to it.
        """
        self._on_phase = on_phase
        self._wire.serve(cancel)
        self._wire.quick_ack = True
        return self._stands_after(self._be_ready, within_s=self._login_timeout_s)

    def _be_ready(self) -> None:
        """Have the next channel open; one that the host had no room for is asked for once more."""
        self._catch_up()
        if not self._transport.await_prepared():
            self._transport.prepare_channel()
            if not self._transport.await_prepared():
                raise Refused("the host opens no other channel on this connection")

    def _catch_up(self) -> None:
        while self._wire.readable:
            self._transport.pump()
        self._wire.heed_silence()
        self._wire.flush()

    def _stands_after(self, step: Callable[[], None], *, within_s: float) -> bool:
        """Do something that must not take long; return whether the connection still stands."""
        self._wire.deadline = Deadline.after(within_s, f"no answer within {within_s:g} s")
        try:
            step()
        except (SessionError, OSError):
            return False
        return self._transport.active
