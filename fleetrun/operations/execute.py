"""Running a command on a host."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fleetrun.errors import SessionError, UsageError
from fleetrun.events import Emit, Output
from fleetrun.hosts import Host
from fleetrun.operations.capture import DEFAULT_OUTPUT_LIMIT_BYTES, Capture
from fleetrun.operations.ending import Ending, Interrupted
from fleetrun.operations.shell import as_other_user, within_seconds
from fleetrun.results import Stream
from fleetrun.session import Command, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Run a command in the login shell of the host's user.

    Attributes:
        command: the command line, handed to the host as it is.
        stdin: what it reads; nothing by default, so that it sees the end of input at once.
        output_limit_bytes: how much of each stream the result keeps.
        live: whether output is also emitted as it comes.
        pty: whether it gets a terminal, so that it is hung up on when the connection ends.
        remote_timeout_s: seconds after which the host itself ends it, with its own `timeout`
            program; None for no such limit.
        confirm_kill: whether, when it has to be ended from here, a second look at the host's
            processes confirms that it is gone.
    """

    command: str
    stdin: bytes = b""
    output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES
    live: bool = False
    pty: bool = False
    remote_timeout_s: float | None = None
    confirm_kill: bool = False

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise UsageError("the command is empty")
        if "\0" in self.command:
            raise UsageError("the command has a NUL byte in it, which no shell can take")
        if self.remote_timeout_s is not None and not 0 < self.remote_timeout_s < math.inf:
            raise UsageError("remote_timeout_s must be a positive number of seconds")

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:
        """Run it; the ending has a status, or a signal, or neither when the host sent neither."""
        captures = {stream: Capture(self.output_limit_bytes) for stream in Stream}

        def take(stream: Stream, data: bytes) -> None:
            captures[stream].add(data)
            if self.live:
                emit(Output(host=host.name, stream=stream, data=data))

        try:
            end = session.run(self._command_for(host), take)
        except SessionError as error:
            raise Interrupted(_ending(captures), error) from error
        return _ending(captures, exit_status=end.exit_status, signal=end.signal, note=end.note)

    def _command_for(self, host: Host) -> Command:
        """Wrap the command line: the time limit inside, the other user around it."""
        line, dialogue = self.command, None
        if self.remote_timeout_s is not None:
            line = within_seconds(line, self.remote_timeout_s)
        if host.become_user is not None:
            line, dialogue = as_other_user(line, host.become_user, host.become_password)
        return Command(
            line=line,
            stdin=self.stdin,
            timeout_s=host.command_timeout_s,
            pty=self.pty,
            confirm_kill=self.confirm_kill,
            dialogue=dialogue,
        )


def _ending(
    captures: dict[Stream, Capture],
    *,
    exit_status: int | None = None,
    signal: str | None = None,
    note: str | None = None,
) -> Ending:
    out, err = captures[Stream.STDOUT], captures[Stream.STDERR]
    return Ending(
        exit_status=exit_status,
        signal=signal,
        note=note,
        stdout=out.kept,
        stderr=err.kept,
        stdout_bytes=out.total_bytes,
        stderr_bytes=err.total_bytes,
    )
