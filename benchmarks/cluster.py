"""What does a host cost over a Dask cluster, against workers of this process's own?

    python benchmarks/cluster.py --hosts-from 127.2.0.1:2350*10000 --host-key host.pub \
        --private-key k --workers 4 --forks 1000

In turns: `hybrid`, and `dask` with real `dask scheduler` and `dask worker` processes on loopback.
Prints processor time a host of each part, calls and bytes a host between here and the workers, and
the memory of this process and of the scheduler on the way. With 10,000 hosts and more it exits with
1 when a host costs over 15 % more than in `hybrid`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import addresses
import child
from dask_processes import DaskProcesses, dask_processes, resident_mb
from distributed import Client
from machine import machine

from fleetrun import Fleet, Inventory
from fleetrun.events import Finished
from fleetrun.executors.cluster import Dask
from fleetrun.executors.cluster import line as cluster_line
from fleetrun.operations import Exec

_MOST_OVER = 1.15
_HOSTS_THAT_COUNT = 10_000
_MARKS = (0.1, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run.

    Attributes:
        wall_s: seconds.
        cpu_s: processor seconds by part; those of the Dask cluster when it was used.
        calls: how many calls of outposts.
        bytes_up: from the workers; bytes_down: to them.
        here_mb: resident memory of this process when 10, 50 and 100 % of the hosts had ended.
        scheduler_mb: of the scheduler, likewise.
        outcomes: how many hosts ended how.
    """

    wall_s: float
    cpu_s: dict[str, float]
    calls: int
    bytes_up: int
    bytes_down: int
    here_mb: list[float]
    scheduler_mb: list[float]
    outcomes: Counter[str]


def main() -> None:
    """Run it as the command line asks."""
    parser = argparse.ArgumentParser(description="Measure a run over a Dask cluster.")
    addresses.add_options(parser)
    parser.set_defaults(lab=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--forks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--via-scheduler", action="store_true", help="not straight to the workers")
    parser.add_argument("--alone", action="store_true", help="without hybrid beside it")
    options = parser.parse_args()
    child.allow_many_files()
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
        dask_processes(options.workers, Path(folder)) as cluster,
        Client(
            cluster.address,
            set_as_default=False,
            direct_to_workers=not options.via_scheduler,
        ) as client,
    ):
        client.wait_for_workers(options.workers)
        hosts = Inventory.load(fleet.inventory).hosts
        print(
            f"{machine()}\n{len(hosts):,} hosts, {options.forks} at once, {options.workers} workers"
        )
        dask = Dask(client)
        hybrid_s, dask_s = [], []
        for _ in range(options.rounds):
            if not options.alone:
                run = _measure(Fleet(hosts, mode="hybrid", forks=options.forks), cluster)
                hybrid_s.append(_show("hybrid", run, len(hosts)))
            run = _measure(Fleet(hosts, mode=dask, forks=options.forks), cluster)
            dask_s.append(_show("dask", run, len(hosts)))
    if hybrid_s:
        ratio = statistics.median(dask_s) / statistics.median(hybrid_s)
        print(f"dask costs {ratio:.2f} times hybrid's processor time (medians)")
        sys.exit(len(hosts) >= _HOSTS_THAT_COUNT and ratio > _MOST_OVER)


def _measure(fleet: Fleet, cluster: DaskProcesses) -> Measured:
    marks = [max(1, int(len(fleet.hosts) * mark)) for mark in _MARKS]
    here_mb, scheduler_mb, outcomes = [], [], Counter[str]()
    with _counting() as counted:
        before, times, began_s = cluster.cpu_s(), os.times(), time.monotonic()
        for event in fleet.events(Exec(command="true")):
            if isinstance(event, Finished):
                outcomes[event.result.outcome] += 1
                if outcomes.total() in marks:
                    here_mb.append(resident_mb(os.getpid()))
                    scheduler_mb.append(cluster.scheduler_mb())
        wall_s = time.monotonic() - began_s
        after, now = cluster.cpu_s(), os.times()
    return Measured(
        wall_s=wall_s,
        cpu_s={
            "here": sum(now[:2]) - sum(times[:2]),
            "children": sum(now[2:4]) - sum(times[2:4]),
            **({part: after[part] - before[part] for part in after} if counted else {}),
        },
        calls=counted["calls"],
        bytes_up=counted["up"],
        bytes_down=counted["down"],
        here_mb=here_mb,
        scheduler_mb=scheduler_mb,
        outcomes=outcomes,
    )


@contextlib.contextmanager
def _counting() -> Iterator[Counter[str]]:
    """Count the calls of outposts, and the bytes that they carry."""
    counted, call = Counter[str](), cluster_line.OutpostLine._call  # noqa: SLF001

    async def counting(line: cluster_line.OutpostLine, method: str, *args: object) -> object:
        answer = await call(line, method, *args)
        counted["calls"] += 1
        counted["down"] += sum(len(arg) for arg in args if isinstance(arg, bytes))
        counted["up"] += len(answer.data) if answer else 0
        return answer

    cluster_line.OutpostLine._call = counting  # noqa: SLF001
    try:
        yield counted
    finally:
        cluster_line.OutpostLine._call = call  # noqa: SLF001


def _show(name: str, run: Measured, hosts: int) -> float:
    """Print a run and return its processor seconds, all parts together."""
    total_s = sum(run.cpu_s.values())
    parts = ", ".join(f"{part} {1000 * s / hosts:.2f}" for part, s in run.cpu_s.items())
    print(
        f"{name:7} {run.wall_s:6.1f} s  {1000 * total_s / hosts:.2f} ms a host ({parts})", end="  "
    )
    if run.calls:
        print(
            f"{run.calls / hosts:.3f} calls, {run.bytes_up / hosts:.0f} bytes up, "
            f"{run.bytes_down / hosts:.0f} down a host; MB here {_rounded(run.here_mb)}, "
            f"scheduler {_rounded(run.scheduler_mb)}",
            end="  ",
        )
    print(dict(run.outcomes))
    return total_s


def _rounded(values: list[float]) -> str:
    return " ".join(f"{value:.0f}" for value in values)


if __name__ == "__main__":
    main()
