"""What a server may do once SSH itself works: answers for `fleetrun.faults.OffScriptServer`.

An `Answer` has the whole say over one exec request, a `Verdict` is given on each login request.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

_PIECE_BYTES = 32 * 1024


class ExecRequest(Protocol):
    """A request to run a command, as its answer sees it. Used by the answer's thread.

    Every method raises `fleetrun.faults.servers.VisitOver` once the client has left or the server
    is being closed; the server takes it.
    """

    command: bytes

    def accept(self) -> None:
        """Say yes."""

    def refuse(self) -> None:
        """Say no."""

    def write(self, data: bytes, *, to_stderr: bool = False) -> None:
        """Send output, within the window that the client grants."""

    def flood(self, data: bytes) -> None:
        """Send output, whatever the client grants."""

    def exit_with(self, status: int) -> None:
        """Say that the command ended with that status (any uint32)."""

    def die_by(self, signal: str) -> None:
        """Say that the command was ended by that signal; the name without SIG."""

    def end_output(self) -> None:
        """Say that no more output will come."""

    def close(self) -> None:
        """Close the channel."""

    def disconnect(self, reason: str) -> None:
        """End the whole connection, giving a reason."""

    def hold(self) -> None:
        """Do nothing until the client has left or the server is being closed."""


Answer = Callable[[ExecRequest], None]
"""Deals with one exec request, from the yes or no to the closing of the channel."""


def finish(status: int = 0, *, stdout: bytes = b"", stderr: bytes = b"") -> Answer:
    """Run the command as a good server would: output, status, close."""

    def answer(request: ExecRequest) -> None:
        request.accept()
        request.write(stdout)
        request.write(stderr, to_stderr=True)
        request.exit_with(status)
        request.end_output()
        request.close()

    return answer


def die(signal: str) -> Answer:
    """Let the command be ended by a signal."""

    def answer(request: ExecRequest) -> None:
        request.accept()
        request.die_by(signal)
        request.close()

    return answer


def never(request: ExecRequest) -> None:
    """Answer the request neither with yes nor with no."""
    request.hold()


def refuse(request: ExecRequest) -> None:
    """Refuse to run commands."""
    request.refuse()
    request.hold()


def close_unanswered(request: ExecRequest) -> None:
    """Close the channel in place of an answer."""
    request.close()
    request.hold()


def close_without_status(request: ExecRequest) -> None:
    """Accept, and close the channel without a word on how the command ended."""
    request.accept()
    request.write(b"half a line")
    request.close()
    request.hold()


def end_output_only(request: ExecRequest) -> None:
    """Accept, say that no more output will come, and nothing after that."""
    request.accept()
    request.end_output()
    request.hold()


def status_without_close(status: int = 0) -> Answer:
    """Send the status and never close the channel."""

    def answer(request: ExecRequest) -> None:
        request.accept()
        request.exit_with(status)
        request.hold()

    return answer


def leave(reason: str) -> Answer:
    """Accept, write a little, and end the connection with a reason."""

    def answer(request: ExecRequest) -> None:
        request.accept()
        request.write(b"begun\n")
        request.disconnect(reason)

    return answer


def ignore_the_window(size_bytes: int, *, piece_bytes: int = _PIECE_BYTES) -> Answer:
    """Accept, send so much output without regard to what the client grants, and end with 0."""

    def answer(request: ExecRequest) -> None:
        request.accept()
        for _ in range(size_bytes // piece_bytes):
            request.flood(bytes(piece_bytes))
        request.exit_with(0)
        request.close()

    return answer


class Verdict(enum.Enum):
    """What a server says to one login request."""

    ACCEPT = enum.auto()
    REFUSE = enum.auto()
    HALF_WAY = enum.auto()
    """This was right, and another method is needed as well (RFC 4252, section 5.1)."""
    SILENCE = enum.auto()
    """No answer at all."""


OnLogin = Callable[[str, str], Verdict]
"""Judges a login request by its method (`publickey`, `password`, `none`) and the password, which
is `""` for the other methods. Called by the connection's thread."""


def let_in(method: str, password: str) -> Verdict:  # noqa: ARG001 (an OnLogin)
    """Let anybody in who offers a key or a password."""
    return Verdict.REFUSE if method == "none" else Verdict.ACCEPT


def turn_away(method: str, password: str) -> Verdict:  # noqa: ARG001
    """Let nobody in."""
    return Verdict.REFUSE


def say_nothing(method: str, password: str) -> Verdict:  # noqa: ARG001
    """Answer no login request."""
    return Verdict.SILENCE


def want_key_and_password(right_password: str) -> OnLogin:
    """Let in who offers any key first and then the right password."""

    def judge(method: str, password: str) -> Verdict:
        if method == "publickey":
            return Verdict.HALF_WAY
        return Verdict.ACCEPT if password == right_password else Verdict.REFUSE

    return judge
