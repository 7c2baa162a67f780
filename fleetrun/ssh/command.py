"""One command on one channel, from its handing over to its end.

open ─► pty ─► exec ─► [sudo's question ─► answer] ─► stdin, end of input ─► output … ─► end
                │                                                                    │
                └── from here on it may have run            deadline or cancel: TERM, KILL
"""

from __future__ import annotations

import math
import time

from fleetrun.errors import Cancelled, DeadlinePassed, Refused, SessionError
from fleetrun.results import Phase, Stream
from fleetrun.session import Command, CommandEnd, OnOutput, OnPhase
from fleetrun.ssh.markers import Group, Question
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

_STREAMS = {0: Stream.STDOUT, 1: Stream.STDERR}

_LINGER_S = 3.0
"""Silence after an exit status after which output is taken to be over: what still holds it open
is a child that the command left behind."""
_LINGER_MAX_S = 60.0
"""The same for a child that goes on writing."""

_TERM_GRACE_S = 1.0
_KILL_GRACE_S = 0.5
"""A host whose time is up, or that is cancelled, is to be done within two seconds more."""
_CONFIRM_GRACE_S = 2.0

_END_OF_INPUT = b"\x04"  # a terminal's Ctrl-D, at the beginning of a line
_INTERRUPT = b"\x03"  # what a terminal's Ctrl-C sends

_PTY_MODES = b"\0"  # TTY_OP_END alone: the server's defaults (RFC 4254, section 8)


class RemoteCommand:
    """A command under way. Used by the thread that pumps the transport, once."""

    def __init__(
        self,
        command: Command,
        *,
        transport: Transport,
        wire: Wire,
        on_output: OnOutput,
        on_phase: OnPhase,
    ) -> None:
        self._command = command
        self._transport = transport
        self._wire = wire
        self._on_output = on_output
        self._on_phase = on_phase
        # a terminal has one stream: what would be stderr comes as stdout
        self._told_on = Stream.STDOUT if command.pty else Stream.STDERR
        self._asked = Question(command.dialogue)
        self._group = Group() if command.confirm_kill else None
        on_phase(Phase.SESSION)
        self._channel = transport.session_channel(self._take)
        if command.pty or not transport.foresee_number(self._channel):
            self._channel.await_opening()

    def run(self) -> CommandEnd:
        """Run it to its end, or to its deadline or a cancel, and then end it."""
        if self._command.pty and not self._channel.request(
            "pty-req", "vt100", 80, 24, 0, 0, _PTY_MODES
        ):
            raise Refused("the host gives no terminal; run it without --pty")
        try:
            return self._run()
        except (DeadlinePassed, Cancelled) as error:
            self._end(error)
            raise

    def _run(self) -> CommandEnd:
        line = self._command.line
        self._on_phase(Phase.EXEC)  # from here on the command may have run
        self._channel.begin_request("exec", line if self._group is None else self._group.of(line))
        self._await_opening()
        self._wire.deadline = _deadline(self._command.timeout_s)
        if not self._channel.await_answer():
            if self._channel.closed:
                return CommandEnd(note="the host closed the session instead of running it")
            raise Refused("the host refuses to run commands")
        self._on_phase(Phase.RUN)
        self._wire.quick_ack = False
        self._await_answer()
        if self._asked.refused:
            self._end_input(b"")  # what is meant for the command is not tried as a password
        else:
            self._channel.send_all(self._command.stdin)
            self._end_input(self._command.stdin)
        return self._await_end()

    def _await_opening(self) -> None:
        """Wait for the channel, within the time for logging in, if it is not open yet.

        A refused one is told in the phase that it was refused in: nothing was run.
        """
        try:
            self._channel.await_opening()
        except Refused:
            self._on_phase(Phase.SESSION)
            raise

    def _end_input(self, sent: bytes) -> None:
        """Send the end of what was sent; a terminal's reader knows the end by a character."""
        if not self._command.pty:
            self._channel.send_end()
        else:
            self._channel.send_all(
                _END_OF_INPUT if sent[-1:] in {b"", b"\n"} else 2 * _END_OF_INPUT
            )

    # --- output, and the question before it ----------------------------------------------------

    def _take(self, kind: int, data: bytes) -> None:
        """Take a piece of output within the pump: markers are taken out, the rest goes on."""
        stream = _STREAMS.get(kind)
        if stream is None:
            return
        if stream is self._told_on:
            data = data if self._asked.over else self._asked.take(data)
            data = data if self._group is None or self._group.over else self._group.take(data)
        if data:
            self._on_output(stream, data)

    def _await_answer(self) -> None:
        """Answer the command's question, if it has one, and wait until it has begun."""
        while not self._asked.over and not self._over:
            self._transport.pump()
            answer = self._asked.next_answer()
            if answer is not None:
                self._channel.send_all(answer)
            if self._asked.refused:
                return

    @property
    def _over(self) -> bool:
        channel = self._channel
        return channel.closed or channel.exit_status is not None or channel.signal is not None

    # --- the end -------------------------------------------------------------------------------

    def _await_end(self) -> CommandEnd:
        """Pump until the channel is closed, or nothing more is to be expected of it."""
        self._transport.pump_until(lambda: self._over)
        note = None if self._channel.closed else self._linger()
        self._flush()
        if self._asked.refused and self._command.dialogue is not None:
            note = self._command.dialogue.refused
        return CommandEnd(
            exit_status=self._channel.exit_status, signal=self._channel.signal, note=note
        )

    def _flush(self) -> None:
        held_back = self._asked.rest() + (b"" if self._group is None else self._group.rest())
        if held_back:
            self._on_output(self._told_on, held_back)

    def _linger(self) -> str | None:
        """Take what output is left after the status; return a note when it was not waited out."""
        give_up_s = min(time.monotonic() + _LINGER_MAX_S, self._wire.deadline.at_s)
        self._wire.deadline = Deadline.after(None, "")  # it has ended: that is no time-out any more
        while not self._channel.closed:
            silent_s = self._wire.last_heard_s + _LINGER_S
            if not self._wire.wait_readable(min(silent_s, give_up_s)):
                return (
                    "it ended, but something that it started still holds its output open; "
                    "redirect that one's output (>/dev/null 2>&1)"
                )
            self._transport.pump()
        return None

    # --- ending it from here -------------------------------------------------------------------

    def _end(self, error: SessionError) -> None:
        """End the command as well as can be, and note on the error what was seen of that."""
        if self._wire.torn:  # whatever is sent now is taken for the other half of a packet
            return
        self._wire.heed_cancel = False
        self._wire.silence_s = math.inf
        group = self._group
        try:
            if group is not None:
                error.killed = False  # as long as nothing else is known
                error.killed = group.known and self._kill_group(group)
            else:
                error.end_seen = self._ended_by("TERM", _TERM_GRACE_S) or self._ended_by(
                    "KILL", _KILL_GRACE_S
                )
            self._flush()
        except (SessionError, OSError):
            return  # the error says already that the end was not seen

    def _ended_by(self, signal: str, grace_s: float) -> bool:
        """Send a signal (RFC 4254, section 6.9); return whether the end came within the grace."""
        self._wire.deadline = Deadline.after(grace_s, f"no end after {signal}")
        if self._command.pty:
            self._channel.send(_INTERRUPT)
        refused = self._channel.signal_command(signal)
        try:
            self._transport.pump_until(lambda: self._over or (refused() and not self._command.pty))
        except DeadlinePassed:
            return False
        return self._channel.exit_status is not None or self._channel.signal is not None

    def _kill_group(self, group: Group) -> bool:
        """Kill the process group over a second channel; return whether it is gone."""
        self._wire.deadline = Deadline.after(_CONFIRM_GRACE_S, "no answer about the group")
        look = self._transport.open_channel_for(lambda _kind, _data: None)
        if look.request("exec", group.kill_line()):
            self._transport.pump_until(lambda: look.closed or look.exit_status is not None)
        return look.exit_status == 0


def _deadline(timeout_s: float | None) -> Deadline:
    return Deadline.after(timeout_s, f"no end within {timeout_s or 0:g} s (--command-timeout)")
