"""One long output: how fast fleetrun takes it from sshd, against `ssh` itself.

    python benchmarks/stream.py [--megabytes 512] [--rounds 3]

The host writes zeros; both clients throw them away as they come (fleetrun keeps the head and tail
that a result keeps, and counts every byte). `ssh` is measured with its default cipher and with the
one that fleetrun agrees on. The runs take turns; the table has the medians. Exits with 1 when the
target is missed.
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
from fleetrun.ssh.transport import Transport

TARGET = 1.5
"""fleetrun's rate is to be at least so many times that of ssh with its default."""

MB = 1_000_000


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cipher = Transport._preferred_ciphers[0]  # noqa: SLF001 (the best that sshd has, too)
    command = f"head -c {options.megabytes * MB} /dev/zero"
    with throwaway_sshd() as server:
        ways = {
            f"fleetrun ({cipher})": ours(server, command, options.megabytes * MB),
            "ssh (its default)": theirs(server, command),
            f"ssh ({cipher})": theirs(server, command, f"Ciphers={cipher}"),
        }
        times = measure(ways, options.rounds)
        print(f"{machine()}; server and ssh: {server.version}")
        print(f"{options.megabytes} MB, {options.rounds} rounds\n")
    return report({name: rate(seconds, options.megabytes) for name, seconds in times.items()})


def ours(server: Server, command: str, size_bytes: int) -> Callable[[], None]:
    """Return what takes the stream with fleetrun."""
    job = Job(host=server.host, operation=Exec(command=command))

    def once() -> None:
        cancel = Cancel()
        result = run_job(job, SshConnect(), lambda _event: None, cancel)
        cancel.close()
        assert result.ok, result
        assert result.stdout_bytes == size_bytes, result.stdout_bytes

    return once


def theirs(server: Server, command: str, *options: str) -> Callable[[], None]:
    """Return what takes the stream with ssh."""
    arguments = server.ssh(command, options=options)

    def once() -> None:
        subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

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


def rate(seconds: list[float], megabytes: int) -> float:
    """Return the megabytes a second of the median round; the login is a part of it."""
    return megabytes / statistics.median(seconds)


def report(rates: dict[str, float]) -> int:
    """Print the table and the ratios; return 1 when the target is missed."""
    mine, default, same = rates.values()
    print("| client | MB/s | fleetrun's rate is |")
    print("|---|---:|---:|")
    for name, megabytes_a_second in rates.items():
        print(f"| {name} | {megabytes_a_second:.0f} | {mine / megabytes_a_second:.2f}x |")
    verdict = "met" if mine / default >= TARGET else "MISSED"
    print(
        f"\nfleetrun / ssh = {mine / default:.2f} with its default cipher (target: at least "
        f"{TARGET}; {verdict}), {mine / same:.2f} with the same cipher"
    )
    return int(mine / default < TARGET)


if __name__ == "__main__":
    sys.exit(main())
