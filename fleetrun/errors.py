"""Everything that fleetrun raises, in one tree. Layer 0 of the road: imports nothing of ours.

    FleetrunError
    ├── UsageError            bad input by the caller; the command line exits with 2
    │   └── InventoryError    bad inventory, host or pattern: `file:line: what is wrong`
    ├── DependencyError       an optional extra is not installed; says which command installs it
    └── SessionError          what went wrong with one host; never leaves `run_job`
        ├── ConnectError      refused, unresolvable, not an SSH server, no common algorithm …
        │   ├── HostKeyError  unknown, changed or revoked host key
        │   └── AuthError     no login method was accepted
        ├── DeadlinePassed    the absolute deadline of the phase passed
        ├── ConnectionLost    the connection ended, or the server broke the protocol
        ├── Refused           the server answered the request itself with "no"
        └── Cancelled         the caller ended the run

A `SessionError` never says what it means for the host: `fleetrun.job` derives the outcome from the
phase that was recorded and from whether the command had been handed over, never from a message.
"""

from __future__ import annotations


class FleetrunError(Exception):
    """The root: catch this to catch all that fleetrun raises on purpose."""


class UsageError(FleetrunError):
    """The caller asked for something that cannot be done as written. Nothing was contacted."""


class InventoryError(UsageError):
    """An inventory, a host or a pattern is wrong.

    Args:
        message: one sentence, without the place.
        source: the file (or `-i`, `--limit` …) that is wrong; None when it is not known.
        line: its line, counted from 1; None when there is none.
    """

    def __init__(self, message: str, *, source: str | None = None, line: int | None = None) -> None:
        self.message = message
        self.source = source
        self.line = line
        place = "" if source is None else f"{source}: " if line is None else f"{source}:{line}: "
        super().__init__(place + message)


class DependencyError(FleetrunError):
    """An optional dependency is missing; the message names the extra that brings it."""


class SessionError(FleetrunError):
    """Something went wrong with one host; the message is one sentence for its user.

    Attributes:
        end_seen: whether the command that was under way was seen to end all the same.
        killed: whether a second look confirmed that its processes are gone; None without one.
    """

    end_seen: bool = False
    killed: bool | None = None


class ConnectError(SessionError):
    """The session could not be made: the command was never handed over."""


class HostKeyError(ConnectError):
    """The host did not prove to be the one that was meant. No credential was sent to it."""


class AuthError(ConnectError):
    """The host refused every login method that could be tried. Never tried again."""


class DeadlinePassed(SessionError):
    """The deadline of the current phase passed on the monotonic clock."""


class ConnectionLost(SessionError):
    """The connection ended before its work did, or the server broke the protocol."""


class Refused(SessionError):
    """The server answered this very request with a refusal, so it did not happen."""


class Cancelled(SessionError):
    """The caller cancelled the run while this host was being worked on."""
