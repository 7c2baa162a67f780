"""Large inventories: how long they take to load and to resolve, and what a host costs in memory.

    python benchmarks/inventories.py [--hosts 10000 100000] [--rounds 3] [--ssh-config FILE]

In 100 groups, each with variables of its own; each host has an address and a port. The time is
that of `Inventory.load` and `select`, in a process of its own with YAML imported; the table has the
medians. The memory is what is kept of hosts without variables, as tracemalloc counts it. No
ssh_config is read unless one is named: what it says of every host takes its time too. Exits with 1
when a target is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from machine import machine

GROUPS = 100
TARGETS_S = {10_000: 1.0, 100_000: 10.0}
"""Seconds that so many hosts may take, load and select together."""

TARGET_BYTES = 1000
"""What a host may cost beside its own variables."""

LAYOUTS = ("yaml", "ini")


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=list(TARGETS_S))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ssh-config", metavar="FILE", default="none")
    options = parser.parse_args()
    os.environ["FLEETRUN_SSH_CONFIG"] = options.ssh_config
    print(f"{machine()}; {GROUPS} groups, {options.rounds} rounds\n")
    print(f"{'layout':8} {'hosts':>8} {'load':>8} {'select':>8} {'bytes a host':>14}")
    missed = False
    for hosts in options.hosts:
        for layout in LAYOUTS:
            load_s, select_s = measured(layout, hosts, options.rounds)
            size = in_own_process("size", layout, hosts)["bytes"]
            print(f"{layout:8} {hosts:>8} {load_s:>6.2f} s {select_s:>6.2f} s {size:>14.0f}")
            missed |= load_s + select_s > TARGETS_S.get(hosts, float("inf"))
            missed |= size > TARGET_BYTES
    return int(missed)


def measured(layout: str, hosts: int, rounds: int) -> tuple[float, float]:
    """Return the median seconds of loading and of selecting."""
    found = [in_own_process("time", layout, hosts) for _ in range(rounds)]
    load_s, select_s = (statistics.median(it[key] for it in found) for key in ("load", "select"))
    return load_s, select_s


def in_own_process(what: str, layout: str, hosts: int) -> dict[str, float]:
    """Measure in a new process, to which nothing has happened yet."""
    words = [sys.executable, __file__, "--child", what, layout, str(hosts)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def child(what: str, layout: str, hosts: int) -> None:
    """Write an inventory, measure it, and print what was found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"hosts.{layout}"
        path.write_text(inventory(layout, hosts, bare=what == "size"))
        found = memory(path, hosts) if what == "size" else seconds(path)
    print(json.dumps(found))


def seconds(path: Path) -> dict[str, float]:
    """Return how long it takes to load and to select all hosts."""
    import yaml  # noqa: F401, PLC0415 (20 ms, which are not the inventory's)

    from fleetrun.inventory import Inventory  # noqa: PLC0415

    began_s = time.perf_counter()
    inventory = Inventory.load(path)
    loaded_s = time.perf_counter()
    inventory.select()
    return {"load": loaded_s - began_s, "select": time.perf_counter() - loaded_s}


def memory(path: Path, hosts: int) -> dict[str, float]:
    """Return the bytes that are kept of each host, once all are resolved."""
    from fleetrun.inventory import Inventory  # noqa: PLC0415

    Inventory.of(["web1"]).select()
    tracemalloc.start()
    inventory = Inventory.load(path)
    selected = inventory.select()
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    return {"bytes": kept / hosts, "hosts": len(selected)}


def inventory(layout: str, hosts: int, *, bare: bool) -> str:
    """Return the text of an inventory; of bare hosts nothing is said but their names."""
    lines: list[str] = []
    for group in range(GROUPS):
        names = range(group, hosts, GROUPS)
        if layout == "yaml":
            lines += [f"group{group}:", f"  vars: {{user: deploy, site: s{group}}}", "  hosts:"]
            lines += [
                f"    web{name:06}:" + ("" if bare else f" {{{own(name, ': ', ', ')}}}")
                for name in names
            ]
        else:
            lines += [f"[group{group}:vars]", "user=deploy", f"site=s{group}", f"[group{group}]"]
            lines += [f"web{name:06} " + ("" if bare else own(name, "=", " ")) for name in names]
    return "\n".join([*lines, ""])


def own(name: int, equals: str, separator: str) -> str:
    """Return the variables of one host."""
    address = f"10.{name >> 16}.{name >> 8 & 255}.{name & 255}"
    return f"ansible_host{equals}{address}{separator}ansible_port{equals}2222"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main())
