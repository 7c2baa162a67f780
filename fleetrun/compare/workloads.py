"""Kinds of work to compare the modes on, beside a command of one's own.

    wait         the host sleeps                        waiting
    cpu-remote   the host computes                      waiting, for a host that works
    cpu-local    the result is worked on in Python      computing here, under the GIL
    transfer     a file goes there                      bytes through the cipher, and waiting
    mixed        a quarter of the hosts each            what a real fleet does

Each is made of the operations that users run. Where it takes more than `Exec` and `Put`, a
subclass does it around the same `perform`, so that it is done where the host is worked on: in the
thread, and in the worker process, that has it. They can be pickled, and workers import them from
here.
"""

from __future__ import annotations

import contextlib
import enum
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from fleetrun.events import Emit
from fleetrun.hosts import Host
from fleetrun.operations import Ending, Exec, Operation, Put
from fleetrun.session import Session


class Kind(enum.StrEnum):
    """What is done on each host."""

    WAIT = "wait"
    CPU_REMOTE = "cpu-remote"
    CPU_LOCAL = "cpu-local"
    TRANSFER = "transfer"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind of work, and how much of it.

    Attributes:
        kind: the kind.
        seconds: for `wait`, how long the host sleeps; for `cpu-local`, how much processor time is
            spent here on each result.
        turns: for `cpu-remote`, how often the host's shell goes through its loop.
        size_bytes: for `transfer`, how much goes to each host.
    """

    kind: Kind
    seconds: float = 0.0
    turns: int = 0
    size_bytes: int = 0

    def __str__(self) -> str:
        match self.kind:
            case Kind.WAIT:
                return f"wait: each host sleeps for {self.seconds:g} s"
            case Kind.CPU_REMOTE:
                return f"cpu-remote: each host's shell counts to {self.turns:,}"
            case Kind.CPU_LOCAL:
                return f"cpu-local: each result is worked on here for {1000 * self.seconds:g} ms"
            case Kind.TRANSFER:
                return f"transfer: {self.size_bytes:,} bytes go to each host"
            case Kind.MIXED:
                return "mixed: a quarter of the hosts each waits, computes there, here, is sent to"


DEFAULTS = {
    Kind.WAIT: Workload(kind=Kind.WAIT, seconds=0.2),
    Kind.CPU_REMOTE: Workload(kind=Kind.CPU_REMOTE, turns=100_000),
    Kind.CPU_LOCAL: Workload(kind=Kind.CPU_LOCAL, seconds=0.1),
    Kind.TRANSFER: Workload(kind=Kind.TRANSFER, size_bytes=1_000_000),
    Kind.MIXED: Workload(kind=Kind.MIXED),
}
"""How much of each kind there is unless it is said: for some seconds a mode, on a few hosts."""

_OF_MIXED = (Kind.WAIT, Kind.CPU_REMOTE, Kind.CPU_LOCAL, Kind.TRANSFER)


@contextlib.contextmanager
def prepared(workload: Workload, hosts: Sequence[Host]) -> Iterator[Operation | list[Operation]]:
    """Yield what to do on the hosts; removes at the end what it needed for that on this machine."""
    if workload.kind is Kind.MIXED:
        with contextlib.ExitStack() as needed:
            each = [needed.enter_context(_prepared(DEFAULTS[kind])) for kind in _OF_MIXED]
            yield list(islice(cycle(each), len(hosts)))
    else:
        with _prepared(workload) as operation:
            yield operation


@contextlib.contextmanager
def _prepared(workload: Workload) -> Iterator[Operation]:
    match workload.kind:
        case Kind.CPU_REMOTE:
            yield Exec(command=f"i=0; while [ $i -lt {workload.turns} ]; do i=$((i+1)); done")
        case Kind.CPU_LOCAL:
            yield WorkedOn(command="true", cpu_seconds=workload.seconds)
        case Kind.TRANSFER:
            with _file_of(workload.size_bytes) as source:
                yield PassingPut(sources=(source,))
        case _:
            yield Exec(command=f"sleep {workload.seconds:g}")


@contextlib.contextmanager
def _file_of(size_bytes: int) -> Iterator[Path]:
    """Yield a file of so many random bytes: nothing on the way can compress them."""
    with tempfile.TemporaryDirectory(prefix="fleetrun-") as folder:
        path = Path(folder, "transfer")
        path.write_bytes(os.urandom(size_bytes))
        yield path


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedOn(Exec):
    """Run a command, and then work on its result in Python, where the host was worked on.

    Attributes:
        cpu_seconds: how much processor time of its thread that takes.
    """

    cpu_seconds: float

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:
        """Run it, then compute; the time is the phase's in which the command ended."""
        ending = Exec.perform(self, host, session, emit)
        compute(self.cpu_seconds)
        return ending


def compute(cpu_seconds: float) -> None:
    """Return when this thread has had so much more processor time, spent in the interpreter.

    Every step holds Python's lock (the GIL), as parsing or comparing results does.
    """
    until_s = time.thread_time() + cpu_seconds
    while time.thread_time() < until_s:
        total = 0
        for number in range(1000):
            total += number


@dataclass(frozen=True, slots=True, kw_only=True)
class PassingPut(Put):
    """Copy the one local file to the login folder, under a name that nobody has, and remove it."""

    def perform(self, host: Host, session: Session, emit: Emit) -> Ending:
        """Copy, check and rename it as `Put` does, then remove it; a refusal is the ending's."""
        target = f".fleetrun-compare-{secrets.token_hex(6)}"
        ending = Put(sources=self.sources, target=target).perform(host, session, emit)
        if ending.done:
            files = session.files(timeout_s=host.command_timeout_s)
            try:
                files.remove(target)
            finally:
                files.close()
        return ending
