"""How late is a line that one of many hosts writes, when it is seen here?

    python benchmarks/latency.py

Every host writes the time once a second, as with `tail -f`; the difference to the moment at which
the caller has the event is the delay. The hosts are in memory, so that what is measured is the way
from the session to the caller: threads, workers, sockets between processes. All hosts write at the
same moment in each second, which is the worst that they can do.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import child
from machine import machine
from ticking import TickingConnect

from fleetrun import Fleet
from fleetrun.events import Output
from fleetrun.executors import Mode
from fleetrun.operations import Exec

_TARGET_S = 0.1
_MODES = (Mode.THREADS, Mode.GREENLETS, Mode.HYBRID)


def main() -> None:
    """Run the benchmark; ends with 1 when the target is missed."""
    parser = argparse.ArgumentParser(description="Measure how late lines are.")
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--lines", type=int, default=10, help="of each host, one a second [10]")
    options = parser.parse_args()
    child.allow_many_files()
    print(f"{options.hosts} hosts, one line a second each, {options.lines} lines; {machine()}\n")
    print("| mode | median ms | p99 ms | latest ms |\n|---|--:|--:|--:|")
    p99s = [_measured(mode, options.hosts, options.lines) for mode in _MODES]
    sys.exit(max(p99s) > _TARGET_S)


def _measured(mode: Mode, hosts: int, lines: int) -> float:
    """Print a mode's row and return the delay that one line in a hundred exceeds, in seconds."""
    names = [f"h{number}" for number in range(hosts)]
    delays_s: list[float] = []
    connect = TickingConnect(lines, 1.0)
    fleet = Fleet(names, mode=mode, forks=hosts, connect=connect)
    for event in fleet.events(Exec(command="tail -f log", live=True)):
        if isinstance(event, Output):
            now_s = time.monotonic()
            delays_s += [now_s - float(line) for line in event.data.split()]
    if len(delays_s) != hosts * lines:
        raise SystemExit(f"{mode}: {len(delays_s)} lines of {hosts * lines} came")
    p99_s = statistics.quantiles(delays_s, n=100)[98]
    figures = (statistics.median(delays_s), p99_s, max(delays_s))
    print(f"| {mode} | " + " | ".join(f"{each * 1000:.1f}" for each in figures) + " |", flush=True)
    return p99_s


if __name__ == "__main__":
    main()
