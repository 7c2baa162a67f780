"""How an operation ended on a host."""

from __future__ import annotations

from dataclasses import dataclass

from fleetrun.errors import SessionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an operation ended on a host that answered to the end.

    Attributes:
        exit_status: the command's status; None for transfers and when none was sent.
        signal: the signal that ended the command, without SIG; None without one.
        stdout: what was kept of it.
        stderr: likewise.
        stdout_bytes: how much there was.
        stderr_bytes: likewise.
        refused: why a transfer did not happen; None when it did.
        note: a sentence about an unusual end; None otherwise.
        done: whether an operation that has no status came to its end.
        files: what was written.
    """

    exit_status: int | None = None
    signal: str | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    refused: str | None = None
    note: str | None = None
    done: bool = False
    files: tuple[str, ...] = ()


class Interrupted(Exception):
    """A session error, with what the command had written until then. Caught by `run_job` alone."""

    def __init__(self, so_far: Ending, error: SessionError) -> None:
        super().__init__(str(error))
        self.so_far = so_far
        self.error = error
