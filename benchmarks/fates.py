"""What becomes of a host in a run that has to tell the truth of each: fates, and what to expect.

hosts ─► Fates.share_out ─► jobs, each with its fate ─► execute ─► judge: outcome as expected?
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import addresses

from fleetrun.faults import FaultProxy, ScriptedServer, scripts
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Result

HANG_TIMEOUT_S = 5.0

_WORKER_DIED = "worker process"
"""What the error of a host says that was being worked on in a worker that died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What happens to a host.

    Attributes:
        name: what it is called in the summary.
        outcomes: those that are right.
        command: what is run.
        exit_status: what it has to be; None when there is none to be seen.
        port: where it is dialled instead, on 127.0.0.1; None for where it is.
        timeout_s: for the command; None for no limit.
    """

    name: str
    outcomes: frozenset[Outcome]
    command: str = "true"
    exit_status: int | None = None
    port: int | None = None
    timeout_s: float | None = None

    def job(self, host: Host) -> Job:
        """Return the job that meets with this fate."""
        host = replace(host, command_timeout_s=self.timeout_s, connect_timeout_s=60.0)
        if self.port is not None:
            host = replace(host, address="127.0.0.1", port=self.port, connect_timeout_s=5.0)
        return Job(host=host, operation=Exec(command=self.command))

    def wrong(self, result: Result, *, disturbed: bool) -> str | None:
        """Say what is wrong about a result; None when it is right.

        A run is disturbed when workers are killed or it is cancelled: then a host may also be lost
        or not run, but only with the reason.
        """
        right = result.outcome in self.outcomes
        if right and (self.exit_status is None or result.exit_status == self.exit_status):
            return None
        error = result.error or ""
        if disturbed and (_WORKER_DIED in error or "cancelled" in error):
            return None
        return f"{result.host}: {self.name}, and yet {result.outcome}: {error}"


OK = Fate(name="ok", outcomes=frozenset({Outcome.OK}), exit_status=0)
EXITS_3 = Fate(
    name="exits 3", outcomes=frozenset({Outcome.FAILED}), command="exit 3", exit_status=3
)
HANGS = Fate(
    name="hangs",
    outcomes=frozenset({Outcome.TIMEOUT}),
    command="sleep 600",
    timeout_s=HANG_TIMEOUT_S,
)


@contextlib.contextmanager
def refusing() -> Iterator[Fate]:
    """Yield the fate of a port where nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        yield Fate(name="refuses", outcomes=frozenset({Outcome.UNREACHABLE}), port=port)


@contextlib.contextmanager
def silent() -> Iterator[Fate]:
    """Yield the fate of a server that accepts and says nothing."""
    with ScriptedServer(scripts.silent()) as server:
        yield Fate(name="is silent", outcomes=frozenset({Outcome.UNREACHABLE}), port=server.port)


@contextlib.contextmanager
def cut(host: Host, after_bytes: int) -> Iterator[Fate]:
    """Yield the fate of a connection that is cut after so many bytes, of both ways together."""
    may_be = frozenset({Outcome.UNREACHABLE, Outcome.LOST, Outcome.OK})
    with FaultProxy((host.address, host.port), cut_after_bytes=after_bytes) as proxy:
        yield Fate(name="is cut", outcomes=may_be, port=proxy.port)


def hosts_of(fleet: addresses.Addresses) -> list[Host]:
    """Return the hosts, each with its key known under its name wherever it is dialled."""
    aliases = fleet.folder / "aliases"
    aliases.write_text("".join(f"{host.name} {host.host_key}\n" for host in fleet.hosts))
    return [
        Host(
            name=host.name,
            address=host.address,
            port=host.port,
            user=fleet.user,
            private_key=str(fleet.private_key),
            known_hosts=(str(aliases),),
            host_key_alias=host.name,
        )
        for host in fleet.hosts
    ]


def share_out(
    hosts: Sequence[Host], shares: Mapping[Fate, float], chance: random.Random
) -> dict[str, Fate]:
    """Return each host's fate by name; what the shares leave over is OK."""
    names = [host.name for host in hosts]
    chance.shuffle(names)
    fates = dict.fromkeys(names, OK)
    for fate, share in shares.items():
        for _ in range(round(share * len(hosts))):
            fates[names.pop()] = fate
    return fates


def children() -> frozenset[int]:
    """Return this process's children (Linux)."""
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return frozenset(map(int, text.split()))


def kill_a_worker(chance: random.Random, *, spared: frozenset[int]) -> int | None:
    """Kill one of this process's children but those; return its number, None when there is none."""
    workers = sorted(children() - spared)
    if not workers:
        return None
    pid = chance.choice(workers)
    os.kill(pid, signal.SIGKILL)
    return pid
