"""What happened: outcomes, phases, one result a host, one report a fleet. Layer 1 of the road."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


class Outcome(enum.StrEnum):
    """How a host ended; closed, and every result has exactly one."""

    OK = "ok"
    """Exit status 0 was seen, or the files arrived and were verified."""
    FAILED = "failed"
    """A non-zero status or a signal was seen, or the transfer was refused (old file intact)."""
    TIMEOUT = "timeout"
    """The deadline passed after the command was handed over; it may still be running."""
    UNREACHABLE = "unreachable"
    """Never got as far as the command."""
    LOST = "lost"
    """The connection or the worker died after the command was handed over: it may have run."""
    NOT_RUN = "not_run"
    """Never begun: the run was cancelled, or a failure limit was reached."""

    @property
    def exit_code(self) -> int:
        """The exit code that this outcome leads to: 0, 1 or 4."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.OK: 0,
    Outcome.FAILED: 1,
    Outcome.TIMEOUT: 1,
    Outcome.UNREACHABLE: 4,
    Outcome.LOST: 4,
    Outcome.NOT_RUN: 1,
}

_MAX_EXIT_CODE = 255
"""Servers may send more, and a process cannot end with more."""


class Phase(enum.StrEnum):
    """How far a host got, in this order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    BANNER = "banner"
    KEX = "kex"
    HOSTKEY = "hostkey"
    AUTH = "auth"
    SESSION = "session"
    EXEC = "exec"
    RUN = "run"
    TRANSFER = "transfer"


class Stream(enum.StrEnum):
    """Which of a command's two outputs."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What happened on one host. Immutable, picklable; holds no secret.

    Attributes:
        host: the name of the host.
        outcome: how it ended.
        phase: the phase in which it ended, or the last that is known of one that is lost; None
            when it was never begun, or nothing is known.
        exit_status: the command's own status, 0 to 255 (some servers send more); None when none
            was seen, and always None for transfers.
        signal: name of the signal that ended the command, without SIG (`KILL`); None without one.
        stdout: the bytes that were kept; when there were more than the limit, head and tail.
        stderr: likewise.
        stdout_bytes: how many bytes the command wrote; more than `len(stdout)` if it was cut.
        stderr_bytes: likewise.
        may_still_run: True when the command may be running yet: its end was not seen.
        killed: whether a second look at the host confirmed that its processes are gone; None when
            there was none (see `Exec.confirm_kill`).
        error: one sentence on what went wrong and what to do; None when nothing did. An ok host
            may have one too: a hint, such as on a child that still holds the output open.
        phase_seconds: seconds spent in each phase that was reached.
        started_at_s: when the host was begun, on the monotonic clock (comparable between
            processes of one machine); None when it never was.
        seconds: from its start to its end; 0.0 when it was never begun.
        attempts: how many connections were tried.
        files: paths that were written: remote ones for put, local ones for get.
        process: number of the process that worked on the host; None when it was never begun, or
            that process died.
        thread: name of the thread, or greenlet, that did; None likewise.
    """

    host: str
    outcome: Outcome
    phase: Phase | None = None
    exit_status: int | None = None
    signal: str | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    may_still_run: bool = False
    killed: bool | None = None
    error: str | None = None
    phase_seconds: Mapping[Phase, float] = field(default_factory=dict)
    started_at_s: float | None = None
    seconds: float = 0.0
    attempts: int = 0
    files: tuple[str, ...] = ()
    process: int | None = None
    thread: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the outcome is `Outcome.OK`."""
        return self.outcome is Outcome.OK

    @property
    def truncated(self) -> bool:
        """Whether stdout or stderr was cut."""
        return len(self.stdout) < self.stdout_bytes or len(self.stderr) < self.stderr_bytes

    @property
    def text(self) -> str:
        """Stdout as text: UTF-8, undecodable bytes replaced, trailing newlines removed."""
        return self.stdout.decode(errors="replace").rstrip("\n")


def not_run(host: str, reason: str) -> Result:
    """Return the result of a host that was never begun."""
    return Result(host=host, outcome=Outcome.NOT_RUN, error=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Exactly one result for each host that was asked for, in inventory order.

    Attributes:
        results: the results.
        wall_seconds: from the first host's start to the last one's end, as the caller saw it.
    """

    results: tuple[Result, ...]
    wall_seconds: float = 0.0

    @classmethod
    def of(
        cls, hosts: Sequence[str], results: Iterable[Result], *, wall_seconds: float = 0.0
    ) -> Report:
        """Put results, which come in any order, in the order of the host names.

        Raises `ValueError` when a host has no result, two of them, or is not one of the hosts:
        that would be a lost or invented result, which is a bug and never the user's doing.
        """
        by_host: dict[str, Result] = {}
        for result in results:
            if result.host in by_host:
                raise ValueError(f"host {result.host!r} has two results")
            by_host[result.host] = result
        if by_host.keys() != set(hosts):
            odd = sorted(by_host.keys() ^ set(hosts))
            raise ValueError(f"hosts and results do not match: {odd}")
        return cls(results=tuple(by_host[host] for host in hosts), wall_seconds=wall_seconds)

    @property
    def ok(self) -> bool:
        """Whether every host is ok."""
        return all(result.ok for result in self.results)

    @property
    def failed(self) -> tuple[Result, ...]:
        """The results of the hosts that are not ok, whatever the reason, in inventory order."""
        return tuple(result for result in self.results if not result.ok)

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many hosts had each outcome; every outcome is a key."""
        counts = dict.fromkeys(Outcome, 0)
        for result in self.results:
            counts[result.outcome] += 1
        return counts

    @property
    def exit_code(self) -> int:
        """The largest exit code that an outcome leads to: 0, 1 or 4."""
        return max((result.outcome.exit_code for result in self.results), default=0)

    @property
    def max_rc(self) -> int:
        """The largest exit status of a command, 255 at the most.

        A host whose command said none, or was not run, counts with what its outcome leads to.
        """
        return max(
            (
                min(result.exit_status, _MAX_EXIT_CODE)
                if result.outcome is Outcome.FAILED and result.exit_status is not None
                else result.outcome.exit_code
                for result in self.results
            ),
            default=0,
        )

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, host: str) -> Result:
        """Return the result of the host of that name; raises `KeyError` when there is none."""
        for result in self.results:
            if result.host == host:
                return result
        raise KeyError(host)
