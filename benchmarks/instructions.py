"""Count the processor instructions of one login and one command, start-up excluded.

    python benchmarks/instructions.py                  # against a lab
    python benchmarks/instructions.py --mode greenlets --hosts-from 127.2.0.1:2350*30 ...

fleetrun runs twice under valgrind, on few hosts and on more; the difference, divided by the number
of hosts between, is what one host costs in all processes together, whatever else the machine is
doing meanwhile. What the kernel does for it is not in the figure: for that, see `fleet.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import addresses

_FEW = 5
_MORE = 25


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description="Count instructions of a login.")
    addresses.add_options(parser)
    parser.set_defaults(lab=_MORE, rtt_ms=0)
    parser.add_argument("--mode", default="sequential", help="a mode of fleetrun's [sequential]")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
    ):
        if len(fleet.hosts) < _MORE:
            raise SystemExit(f"{_MORE} hosts are needed")
        few, more = (_instructions(fleet, count, options.mode) for count in (_FEW, _MORE))
    print(f"{options.mode}: {(more - few) / (_MORE - _FEW) / 1e6:.2f} million instructions a host")
    print(f"start-up and end: {(few - (more - few) / (_MORE - _FEW) * _FEW) / 1e6:.0f} million")


def _instructions(fleet: addresses.Addresses, count: int, mode: str) -> int:
    """Return the instructions of a run on the first hosts, of all processes together."""
    first = replace(fleet, hosts=fleet.hosts[:count])
    first.write()
    counts = fleet.folder / f"counts-{count}"
    counts.mkdir()
    subprocess.run(
        [
            *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--trace-children=yes", "-q"),
            f"--cachegrind-out-file={counts}/%p",
            *(sys.executable, "-m", "fleetrun", "exec", "-i", first.inventory),
            *("--known-hosts", first.known_hosts, "--mode", mode, "-f", str(count), "-q"),
            *("--connect-timeout", "120s", "--", "true"),
        ],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
    )
    return sum(_total(path) for path in counts.iterdir())


def _total(path: Path) -> int:
    """Return the total at the end of one process's file."""
    line = path.read_text(errors="replace").rstrip().rsplit("\n", 1)[-1]
    return int(line.removeprefix("summary:").split()[0])


if __name__ == "__main__":
    main()
