"""Compare fleetrun's modes and its peers on one fleet: wall time, processor time, memory.

    python benchmarks/fleet.py                         # a lab of 50 hosts on this machine
    python benchmarks/fleet.py --hosts-from 127.2.0.1:2350*1000 --host-key host.pub --private-key k

Every client runs the same command on the same hosts, one client at a time; a round is one run of
each, and the order is turned by one place from round to round, so that a machine that is busy for
a while harms all of them alike. A last round, which is not timed, watches the memory. Clients that
are not installed are named as left out.

Writes the table to standard output and to OUT/fleet.md, and a plot (with matplotlib installed) to
OUT/fleet.png.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import addresses
import child
from clients import CLIENTS, Client, version
from machine import machine

_REFERENCE = "asyncssh"
"""The client that the others' wall time is divided by."""

_COLUMNS = (
    "client",
    "at once",
    "host keys",
    "wall s (min-max)",
    f"wall / {_REFERENCE}",
    "CPU s",
    "CPU ms a host",
    "peak MB",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one client took in all rounds."""

    client: Client
    at_once: int
    took: Sequence[child.Took]
    peak_mb: float

    @property
    def wall_s(self) -> float:
        """The median."""
        return statistics.median(took.wall_s for took in self.took)

    @property
    def cpu_s(self) -> float:
        """The median."""
        return statistics.median(took.cpu_s for took in self.took)

    @property
    def failed(self) -> bool:
        """Whether any run did not end with 0: its figures are of something else then."""
        return any(took.exit_code for took in self.took)


def main() -> None:
    """Run the benchmark that the command line asks for."""
    options = _options()
    child.allow_many_files()
    wanted = [client for client in CLIENTS if client.name in options.clients]
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
    ):
        rows = _measure([client for client in wanted if client.installed], fleet, options)
    left_out = [client.name for client in wanted if not client.installed]
    table = _table(rows, len(fleet.hosts), options, left_out)
    print(table)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "fleet.md").write_text(table)
    if importlib.util.find_spec("matplotlib"):
        _plot(rows, len(fleet.hosts), options.out / "fleet.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare fleetrun's modes and its peers.")
    addresses.add_options(parser)
    names = [client.name for client in CLIENTS]
    parser.add_argument("--clients", help="names, with commas between them [all]")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each client [5]")
    parser.add_argument("--forks", type=int, default=1000, help="hosts at once, at most [1000]")
    parser.add_argument("--command", default="true", help="what to run [true]")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    options = parser.parse_args()
    options.clients = options.clients.split(",") if options.clients else names
    unknown = set(options.clients) - set(names)
    if unknown:
        parser.error(f"no such client: {', '.join(unknown)}; there are: {', '.join(names)}")
    return options


def _measure(
    clients: Sequence[Client], fleet: addresses.Addresses, options: argparse.Namespace
) -> list[Row]:
    forks = min(options.forks, len(fleet.hosts))
    took: dict[str, list[child.Took]] = {client.name: [] for client in clients}
    for number in range(options.rounds):
        for client in (*clients[number:], *clients[:number]):
            took[client.name].append(_run(client, fleet, options.command, forks))
            print(f"round {number + 1}: {client.name}: {took[client.name][-1]}", file=sys.stderr)
    return [
        Row(
            client=client,
            at_once=client.at_once(forks),
            took=took[client.name],
            peak_mb=_run(client, fleet, options.command, forks, watch_memory=True).peak_mb,
        )
        for client in clients
    ]


def _run(
    client: Client,
    fleet: addresses.Addresses,
    command: str,
    forks: int,
    *,
    watch_memory: bool = False,
) -> child.Took:
    arguments = client.arguments(fleet, command, client.at_once(forks))
    return child.run(arguments, client.environment(fleet), watch_memory=watch_memory)


def _table(
    rows: Sequence[Row], hosts: int, options: argparse.Namespace, left_out: Sequence[str]
) -> str:
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    lines = [
        f"{hosts:,} hosts, command `{options.command}`, {options.rounds} rounds, medians.",
        f"{machine()}; load averages at the end {load}.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|--:|---|--:|--:|--:|--:|--:|",
        *(_line(row, hosts, _reference_s(rows)) for row in sorted(rows, key=lambda r: r.wall_s)),
        "",
    ]
    if left_out:
        lines += [f"Left out, since not installed: {', '.join(left_out)}.", ""]
    return "\n".join(lines)


def _reference_s(rows: Sequence[Row]) -> float | None:
    return next((row.wall_s for row in rows if row.client.name == _REFERENCE), None)


def _line(row: Row, hosts: int, reference_s: float | None) -> str:
    walls = [took.wall_s for took in row.took]
    name = f"{row.client.name} {version(row.client)}".strip()
    cells = (
        f"{name} (FAILED)" if row.failed else name,
        row.at_once,
        "checked" if row.client.checks_keys else "not checked",
        f"{row.wall_s:.2f} ({min(walls):.2f}-{max(walls):.2f})",
        "" if reference_s is None else f"{row.wall_s / reference_s:.2f}",
        f"{row.cpu_s:.2f}",
        f"{row.cpu_s / hosts * 1000:.2f}",
        f"{row.peak_mb:.0f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def _plot(rows: Sequence[Row], hosts: int, path: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 (optional, and slow)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    best_last = sorted(rows, key=lambda row: -row.wall_s)
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.5))
    names = [row.client.name for row in best_last]
    axes.barh(names, [row.wall_s for row in best_last], height=0.7, label="wall")
    axes.barh(names, [row.cpu_s for row in best_last], height=0.3, label="client CPU")
    axes.set_xlabel(f"seconds, {hosts:,} hosts (less is better)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
