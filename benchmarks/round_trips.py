"""Count the round trips of one command on one host, from the first byte to the last.

    python benchmarks/round_trips.py                   # against a host of the lab
    python benchmarks/round_trips.py --hosts-from 127.0.0.1:22*1 --host-key host.pub --private-key k

A proxy on this machine holds every byte up for half a round trip of 200 ms, and notes when the
first and the last one pass. What lies between them, divided by the round trip, is the number of
round trips that the client waits for once it is connected, and a little more: both sides' processor
time. The shortest of several runs counts, since a busy machine only adds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import addresses
import child
from clients import CLIENTS, Client

from fleetrun.faults import FaultProxy

_ROUND_TRIP_S = 0.2
_AT_ONCE = 1


def _ssh(to: addresses.Addresses, command: str, forks: int) -> Sequence[str | Path]:
    assert forks == _AT_ONCE
    return ["ssh", "-F", to.ssh_config, to.hosts[0].name, command]


_SSH = Client(name="ssh", needs="ssh", arguments=_ssh, starts_ssh=True)
_COMPARED = (
    _SSH,
    *(client for client in CLIENTS if not client.starts_ssh and "hybrid" not in client.name),
)


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description="Count round trips.")
    addresses.add_options(parser)
    parser.set_defaults(lab=1, rtt_ms=0)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each client [5]")
    parser.add_argument("--command", default="true", help="what to run [true]")
    options = parser.parse_args()
    print("| client | round trips after TCP |\n|---|--:|")
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
    ):
        for client in _COMPARED:
            if client.installed:
                print(f"| {client.name} | {_round_trips(client, fleet, options):.1f} |", flush=True)


def _round_trips(client: Client, fleet: addresses.Addresses, options: argparse.Namespace) -> float:
    spans = (_span_s(client, fleet, options.command) for _ in range(options.rounds))
    return min(spans) / _ROUND_TRIP_S


def _span_s(client: Client, fleet: addresses.Addresses, command: str) -> float:
    """Return the seconds from the first byte to the last of a run with the host far away."""
    host = fleet.hosts[0]
    passed_at_s: list[float] = []
    with FaultProxy(
        (host.address, host.port),
        delay_s=_ROUND_TRIP_S / 2,
        on_passed=lambda _direction, _piece: passed_at_s.append(time.monotonic()),
    ) as proxy:
        there = replace(host, name="127.0.0.1", address="127.0.0.1", port=proxy.port)
        behind = replace(fleet, hosts=[there])
        behind.write()
        arguments = client.arguments(behind, command, _AT_ONCE)
        took = child.run(arguments, client.environment(behind))
    if took.exit_code:
        raise SystemExit(f"{client.name} failed: it ended with {took.exit_code}")
    return passed_at_s[-1] - passed_at_s[0]


if __name__ == "__main__":
    main()
