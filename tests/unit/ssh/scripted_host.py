"""A host without a connection: it takes a channel's messages and answers as a test tells it to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, cast

from paramiko import common
from paramiko.message import Message

from fleetrun.errors import DeadlinePassed
from fleetrun.results import Phase, Stream
from fleetrun.session import Command, CommandEnd
from fleetrun.ssh.channel import CHANNEL_MESSAGES, DATA_PACKET_BYTES, WINDOW_BYTES, Channel
from fleetrun.ssh.command import RemoteCommand
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

REMOTE_ID = 7
Field = bool | int | str | bytes


class ScriptedHost:
    """A `Carrier` whose other side is a test.

    What the test queues with `says` is dispatched by `pump`, one message a call. When nothing is
    queued, the wire's deadline passes: a test never waits.

    Attributes:
        sent: the numbers and messages that the channel has sent.
        requests: the kinds of channel requests among them, in order.
        on_request: called with the channel, the kind and the rest of each request; by default
            every request is answered with yes.
        stdin: the data that was sent, in order.
        on_silence: called before the deadline passes.
        foreseen: whether its number of a channel is known before it has opened the channel, which
            it does, or refuses with `refusal`, only after what was sent ahead.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[int, Message]] = []
        self.requests: list[str] = []
        self.stdin = b""
        self.ended_stdin = False
        self.channels: list[Channel] = []
        self.on_request: Callable[[Channel, str, Message], None] = self.say_yes
        self.on_stdin: Callable[[Channel, bytes], None] = lambda _channel, _data: None
        self.on_silence: Callable[[], None] = lambda: None
        self.foreseen = False
        self.refusal: str | None = None
        self._queue: deque[Callable[[], None]] = deque()
        self.wire = _FakeWire(self)

    # --- what the host says --------------------------------------------------------------------

    def says(self, channel: Channel, number: int, *fields: Field) -> None:
        """Queue a message for the channel."""
        message = Message(build_message(number, *fields).asbytes()[1:])
        self._queue.append(lambda: self._dispatch(channel, number, message))

    def says_yes(self, channel: Channel) -> None:
        self.says(channel, common.MSG_CHANNEL_SUCCESS)

    def says_no(self, channel: Channel) -> None:
        self.says(channel, common.MSG_CHANNEL_FAILURE)

    def say_yes(self, channel: Channel, kind: str, message: Message) -> None:  # noqa: ARG002
        """Answer a request with yes, as `on_request` does by default."""
        self.says_yes(channel)

    def writes(self, channel: Channel, data: bytes) -> None:
        """Queue a piece of stdout."""
        self.says(channel, common.MSG_CHANNEL_DATA, data)

    def complains(self, channel: Channel, data: bytes) -> None:
        """Queue a piece of stderr."""
        self.says(channel, common.MSG_CHANNEL_EXTENDED_DATA, 1, data)

    def exits(self, channel: Channel, status: int) -> None:
        """Queue an exit status."""
        self.says(channel, common.MSG_CHANNEL_REQUEST, "exit-status", False, status)

    def is_killed(self, channel: Channel, signal: str) -> None:
        """Queue word of a signal (RFC 4254, section 6.10)."""
        fields: tuple[Field, ...] = ("exit-signal", False, signal, False, "", "")
        self.says(channel, common.MSG_CHANNEL_REQUEST, *fields)

    def closes(self, channel: Channel) -> None:
        """Queue the end of data and of the channel."""
        self.says(channel, common.MSG_CHANNEL_EOF)
        self.says(channel, common.MSG_CHANNEL_CLOSE)

    def ends(self, channel: Channel, status: int = 0) -> None:
        """Queue an exit status and the end."""
        self.exits(channel, status)
        self.closes(channel)

    @property
    def silent(self) -> bool:
        """Whether nothing is queued."""
        return not self._queue

    # --- the carrier ---------------------------------------------------------------------------

    def open_channel_for(self, take: Callable[[int, bytes], None]) -> Channel:
        channel = Channel(self, len(self.channels), take)
        self.channels.append(channel)
        self._open(channel)
        return channel

    def session_channel(self, take: Callable[[int, bytes], None]) -> Channel:
        if not self.foreseen:
            return self.open_channel_for(take)
        channel = Channel(self, len(self.channels), take)
        self.channels.append(channel)
        self._queue.append(lambda: self._open(channel))
        return channel

    def foresee_number(self, channel: Channel) -> bool:
        channel.remote_id = REMOTE_ID
        return self.foreseen

    def _open(self, channel: Channel) -> None:
        channel.refused = self.refusal
        if self.refusal is None:
            channel.remote_id, channel.opened = REMOTE_ID, True
            channel.send_window, channel.send_packet = WINDOW_BYTES, DATA_PACKET_BYTES

    def send_message(self, message: Message) -> None:
        sent = Message(message.asbytes())
        number = sent.get_byte()[0]
        assert sent.get_int() == REMOTE_ID
        channel = self.channels[-1]
        self.sent.append((number, sent))
        if number == common.MSG_CHANNEL_REQUEST:
            kind = sent.get_text()
            self.requests.append(kind)
            if sent.get_boolean():
                self.on_request(channel, kind, sent)
        elif number == common.MSG_CHANNEL_DATA:
            data = sent.get_string()
            self.stdin += data
            self.on_stdin(channel, data)
        elif number == common.MSG_CHANNEL_EOF:
            self.ended_stdin = True

    def pump(self) -> None:
        if not self._queue:
            self.on_silence()
            raise DeadlinePassed(self.wire.deadline.sentence)
        self._queue.popleft()()

    def pump_until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self.pump()

    def forget_channel(self, channel: Channel) -> None:
        pass

    def _dispatch(self, channel: Channel, number: int, message: Message) -> None:
        CHANNEL_MESSAGES[number](channel, message)
        channel.deliver()


class _FakeWire:
    """What a `RemoteCommand` sets on its wire."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self.deadline = Deadline.after(None, "")
        self.quick_ack = True
        self.heed_cancel = True
        self.silence_s = 15.0
        self.last_heard_s = 0.0
        self.torn = False

    def wait_readable(self, until_s: float) -> bool:  # noqa: ARG002
        return not self._host.silent


class Running:
    """A command on a scripted host, and what came of it."""

    def __init__(self, host: ScriptedHost, **command: Any) -> None:  # noqa: ANN401 (Command's)
        self.output: dict[Stream, bytes] = dict.fromkeys(Stream, b"")
        self.phases: list[Phase] = []
        self._command = RemoteCommand(
            Command(**{"line": "true", **command}),
            transport=cast("Transport", host),
            wire=cast("Wire", host.wire),
            on_output=self._take,
            on_phase=self.phases.append,
        )

    def _take(self, stream: Stream, data: bytes) -> None:
        assert data
        self.output[stream] += data

    @property
    def stdout(self) -> bytes:
        return self.output[Stream.STDOUT]

    @property
    def stderr(self) -> bytes:
        return self.output[Stream.STDERR]

    def to_its_end(self) -> CommandEnd:
        """Run it."""
        return self._command.run()
