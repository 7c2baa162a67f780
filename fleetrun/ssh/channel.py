"""One session channel (RFC 4254, sections 5 and 6): windows, requests, and how it ended.

What the host sends is handed to its consumer within the pump: there is no pipe and no condition
between, and a consumer that takes its time holds up the window, and so the remote command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fleetrun.errors import ConnectionLost, Refused
from fleetrun.ssh.messages import build_message, read_text

from paramiko import common  # isort: skip (fleetrun.ssh.messages makes it cheap)
from paramiko.message import Message

WINDOW_BYTES = 2 * 1024 * 1024
"""Bytes a channel may send us ahead; what OpenSSH's client grants."""
DATA_PACKET_BYTES = 32 * 1024

UNKNOWN = -1
"""The host's number of a channel that it has not opened yet."""


def nobody(kind: int, data: bytes) -> None:
    """Consume what nobody waits for any more."""


class Carrier(Protocol):
    """What a channel needs of its transport."""

    def send_message(self, message: Message) -> None:
        """Send, or hold it back until a key exchange has ended; never wait for the host."""

    def pump(self) -> None:
        """Read one packet, waiting for it, and dispatch it."""

    def pump_until(self, happened: Callable[[], bool]) -> None:
        """Pump until happened() is true."""

    def forget_channel(self, channel: Channel) -> None:
        """Take a channel that both sides have closed off the table."""


class Channel:
    """One session channel: windows, requests and their answers, and how it ended.

    Made by `Transport.open_channel_for`; used by the thread that pumps the transport.

    Attributes:
        ended: whether the host has sent its end of data.
        closed: whether the host has closed the channel.
        exit_status: what it said of the command; None until then.
        signal: name of the signal that ended the command, without SIG; None without one.
        closing: whether we have closed it.
        abandoned: whether it was closed before it was open.
        refused: why the host does not open it; None as long as it has not said so.
        refusal_code: the number of that reason (RFC 4254, section 5.1); 0 without one.
        backlog_bytes: how much of what the consumer has taken it has yet to pass on; as much is
            not granted again until `grant` is called with less.
    """

    def __init__(self, carrier: Carrier, local_id: int, take: Callable[[int, bytes], None]) -> None:
        self._carrier = carrier
        self._take = take
        self._receive_window = WINDOW_BYTES
        self._answers: list[bool] = []
        self._arrived: list[tuple[int, bytes]] = []
        self.closing = False
        self.local_id = local_id
        self.remote_id = UNKNOWN
        self.opened = False
        self.abandoned = False
        self.refused: str | None = None
        self.refusal_code = 0
        self.backlog_bytes = 0
        self.send_window = 0
        self.send_packet = DATA_PACKET_BYTES
        self.ended = False
        self.closed = False
        self.exit_status: int | None = None
        self.signal: str | None = None

    def hand_to(self, take: Callable[[int, bytes], None]) -> None:
        """Give it another consumer for what it receives from now on."""
        self._take = take

    def request(self, kind: str, *fields: bool | int | str | bytes) -> bool:
        """Send a channel request and return whether the host said yes."""
        self.begin_request(kind, *fields)
        return self.await_answer()

    def begin_request(self, kind: str, *fields: bool | int | str | bytes) -> None:
        """Send a channel request; its answer is to be awaited before the next one."""
        self._answers.clear()
        self._send(common.MSG_CHANNEL_REQUEST, kind, True, *fields)

    def await_answer(self) -> bool:
        """Pump until the host has answered the request; return whether it said yes."""
        self._carrier.pump_until(lambda: bool(self._answers) or self.closed)
        return self._answers == [True]

    def await_opening(self) -> None:
        """Pump until the host has opened the channel; raise `Refused` when it does not."""
        self._carrier.pump_until(lambda: self.opened or self.refused is not None)
        if self.refused is not None:
            raise Refused(f"the host opens no session: {self.refused}")

    def send(self, data: bytes) -> int:
        """Send as much as the window and one packet allow; return how many bytes that was."""
        size = min(len(data), self.send_window, self.send_packet)
        if size and not self.closed:
            self.send_window -= size
            self._send(common.MSG_CHANNEL_DATA, data[:size])
        return size

    def send_all(self, data: bytes) -> None:
        """Send it all, pumping whenever the window is used up; stop when the host has closed."""
        view = memoryview(data)
        while view and not self.closed:
            sent = self.send(bytes(view[: self.send_packet]))
            view = view[sent:]
            if not sent:
                self._carrier.pump()

    def signal_command(self, name: str) -> Callable[[], bool]:
        """Ask the host to send the command a signal; return a look at whether it has refused.

        An answer is asked for, although RFC 4254, section 6.9 does without: OpenSSH then says no
        where it does not signal (for root, and for forced commands), and nobody waits in vain.
        """
        self._answers.clear()
        if not self.closed:
            self._send(common.MSG_CHANNEL_REQUEST, "signal", True, name)
        return lambda: False in self._answers

    def send_end(self) -> None:
        """Say that no more data will come."""
        if not self.closed:
            self._send(common.MSG_CHANNEL_EOF)

    def close(self) -> None:
        """Close our side, without waiting for the host's; safe to call twice.

        One that is not open yet is closed as soon as the host has opened it.
        """
        self.abandoned = not self.opened
        if self.opened and not self.closing:
            self.closing = True
            self._send(common.MSG_CHANNEL_CLOSE)

    def _send(self, number: int, *fields: bool | int | str | bytes) -> None:
        self._carrier.send_message(build_message(number, self.remote_id, *fields))

    # --- what the host sends; called by the pump -----------------------------------------------

    def take_data(self, message: Message) -> None:
        """Take data for stdout."""
        self._receive(0, message.get_string())

    def take_extended_data(self, message: Message) -> None:
        """Take data of another type; type 1 is stderr."""
        kind = message.get_int()
        self._receive(kind, message.get_string())

    def _receive(self, kind: int, data: bytes) -> None:
        if len(data) > DATA_PACKET_BYTES:
            raise ConnectionLost(
                f"it sent {len(data)} bytes at once; {DATA_PACKET_BYTES} are allowed"
            )
        self._receive_window -= len(data)
        if self._receive_window < 0:
            raise ConnectionLost("it sent more than the window allows")
        self._arrived.append((kind, data))

    def deliver(self) -> None:
        """Hand what has arrived to the consumer, and grant the host as much again.

        Called by the pump once a packet is dealt with, so that an error of the consumer is never
        taken for one of the host.
        """
        while self._arrived:
            self._take(*self._arrived.pop(0))
        self.grant()

    def grant(self) -> None:
        """Grant the host as much as was consumed, once that is half the window."""
        consumed = WINDOW_BYTES - self._receive_window - self.backlog_bytes
        if consumed > WINDOW_BYTES // 2 and not self.closing:
            self._receive_window += consumed
            self._send(common.MSG_CHANNEL_WINDOW_ADJUST, consumed)

    def take_window(self, message: Message) -> None:
        """Take leave to send more."""
        self.send_window += message.get_int()

    def take_success(self, message: Message) -> None:  # noqa: ARG002 (a table's signature)
        """Take a yes to the request that is under way."""
        self._answers.append(True)

    def take_failure(self, message: Message) -> None:  # noqa: ARG002
        """Take a no."""
        self._answers.append(False)

    def take_end(self, message: Message) -> None:  # noqa: ARG002
        """Take the end of data."""
        self.ended = True

    def take_close(self, message: Message) -> None:  # noqa: ARG002
        """Take the end of the channel, and answer it."""
        self.ended = self.closed = True
        self.close()
        self._carrier.forget_channel(self)
        self.hand_to(nobody)

    def take_request(self, message: Message) -> None:
        """Take word of how the command ended; refuse what we do not know."""
        kind = read_text(message)
        wants_answer = message.get_boolean()
        if kind == "exit-status":
            self.exit_status = message.get_int()
        elif kind == "exit-signal":
            self.signal = read_text(message) or "unknown"
        if wants_answer:
            self._send(common.MSG_CHANNEL_FAILURE)


CHANNEL_MESSAGES: dict[int, Callable[[Channel, Message], None]] = {
    common.MSG_CHANNEL_DATA: Channel.take_data,
    common.MSG_CHANNEL_EXTENDED_DATA: Channel.take_extended_data,
    common.MSG_CHANNEL_WINDOW_ADJUST: Channel.take_window,
    common.MSG_CHANNEL_SUCCESS: Channel.take_success,
    common.MSG_CHANNEL_FAILURE: Channel.take_failure,
    common.MSG_CHANNEL_REQUEST: Channel.take_request,
    common.MSG_CHANNEL_EOF: Channel.take_end,
    common.MSG_CHANNEL_CLOSE: Channel.take_close,
}
