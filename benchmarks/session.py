"""One session: connect, log in, run `true`, close. fleetrun against `ssh`, on the same sshd.

    python benchmarks/session.py [--rounds 40]

fleetrun's is measured in a process that is warm, as every session of a run but the first is. What
`ssh` takes includes its own start, since whoever drives it starts it for each session; how long
that start takes is measured too (`ssh -V`), so that it can be taken off. Both agree on keys by
curve25519. What the server does, its account's shell included, is the same for both.

The runs take turns, and the table has the medians. Exits with 1 when the target is missed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from machine import machine
from throwaway_sshd import Server, throwaway_sshd

from fleetrun.job import Job, run_job
from fleetrun.operations import Exec
from fleetrun.session import Cancel
from fleetrun.ssh import SshConnect

TARGET = 0.4
"""fleetrun's time is to be at most so much of ssh's."""


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with throwaway_sshd() as server:
        ways = {
            "fleetrun": ours(server),
            "ssh": started(server.ssh("true", options=("KexAlgorithms=curve25519-sha256",))),
            "ssh, its start alone": started(["ssh", "-V"]),
            "the account's shell alone": started(["sh", "-c", "true"]),
        }
        times = measure(ways, rounds)
        print(f"{machine()}; server and ssh: {server.version}; {rounds} rounds\n")
    print_table(times)
    ratio = statistics.median(times["fleetrun"]) / statistics.median(times["ssh"])
    verdict = "met" if ratio <= TARGET else "MISSED"
    print(f"\nfleetrun / ssh = {ratio:.2f} (target: at most {TARGET}; {verdict})")
    return int(ratio > TARGET)


def ours(server: Server) -> Callable[[], None]:
    """Return what does one session with fleetrun, having done one already."""
    job = Job(host=server.host, operation=Exec(command="true"))

    def once() -> None:
        cancel = Cancel()
        result = run_job(job, SshConnect(), lambda _event: None, cancel)
        cancel.close()
        assert result.ok, result

    once()
    return once


def started(command: list[str]) -> Callable[[], None]:
    """Return what runs a program to its end."""

    def once() -> None:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    once()
    return once


def measure(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round by name; the ways take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, once in ways.items():
            began_s = time.perf_counter()
            once()
            times[name].append(time.perf_counter() - began_s)
    return times


def print_table(times: dict[str, list[float]]) -> None:
    """Print medians, and how far the rounds lie apart."""
    print("| what | median ms | fastest | slowest |")
    print("|---|---:|---:|---:|")
    for name, seconds in times.items():
        figures = (statistics.median(seconds), min(seconds), max(seconds))
        print(f"| {name} | " + " | ".join(f"{1000 * figure:.1f}" for figure in figures) + " |")


if __name__ == "__main__":
    sys.exit(main())
