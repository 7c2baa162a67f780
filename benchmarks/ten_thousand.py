"""Run on many hosts of which some go wrong while a worker is killed: is each told what it was?

    python benchmarks/ten_thousand.py                  # a lab of 200 hosts
    python benchmarks/ten_thousand.py --hosts-from 127.2.0.1:2350*10000 --host-key host.pub \
        --private-key k

One host in a hundred refuses, one hangs (and has 5 s), one exits with 3; when half of them have
ended, one worker process is killed. Ends with 1 when a host has no result, two, or a wrong one.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import addresses
import child
import fates
from machine import machine

from fleetrun.events import Finished
from fleetrun.executors import Mode, execute, make_plan
from fleetrun.job import Job
from fleetrun.results import Result
from fleetrun.session import Cancel
from fleetrun.ssh import SshConnect

_SHARE = 0.01


def main() -> None:
    """Run it as the command line asks, and exit with 1 when anything is wrong."""
    parser = argparse.ArgumentParser(description="Tell the truth of ten thousand hosts.")
    addresses.add_options(parser)
    parser.set_defaults(lab=200)
    parser.add_argument("--mode", type=Mode, default=Mode.HYBRID)
    parser.add_argument("--forks", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    child.allow_many_files()
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
        fates.refusing() as refuses,
    ):
        hosts = fates.hosts_of(fleet)
        chance = random.Random(options.seed)  # noqa: S311 (a draw that can be repeated)
        shares = dict.fromkeys((refuses, fates.HANGS, fates.EXITS_3), _SHARE)
        fate_of = fates.share_out(hosts, shares, chance)
        began_s = time.monotonic()
        results = _run([fate_of[host.name].job(host) for host in hosts], options, chance)
        wall_s = time.monotonic() - began_s
    wrong = _wrong(results, fate_of)
    print(f"{machine()}\n{len(hosts):,} hosts, {options.mode}: {wall_s:.1f} s")
    for (fate, outcome, why), count in sorted(_summary(results, fate_of).items()):
        print(f"{count:7,}  {fate}: {outcome}{why}")
    print(*wrong or ["every host has one result, and the right one"], sep="\n")
    sys.exit(bool(wrong))


def _run(jobs: Sequence[Job], options: argparse.Namespace, chance: random.Random) -> list[Result]:
    plan = make_plan(options.mode, forks=options.forks, hosts=len(jobs))
    cancel, spared = Cancel(), fates.children()
    results = []
    for event in execute(plan, jobs, SshConnect(), cancel):
        if isinstance(event, Finished):
            results.append(event.result)
            if len(results) == len(jobs) // 2 and plan.workers:
                print(f"killed worker {fates.kill_a_worker(chance, spared=spared)}")
    cancel.close()
    return results


def _wrong(results: Sequence[Result], fate_of: Mapping[str, fates.Fate]) -> list[str]:
    """Return a line for each host without a result, with several, or with a wrong one."""
    counts = collections.Counter(result.host for result in results)
    numbers = [f"{name}: {counts[name]} results" for name in fate_of if counts[name] != 1]
    judged = (fate_of[result.host].wrong(result, disturbed=True) for result in results)
    return numbers + [line for line in judged if line]


def _summary(
    results: Sequence[Result], fate_of: Mapping[str, fates.Fate]
) -> collections.Counter[tuple[str, str, str]]:
    return collections.Counter(
        (
            fate_of[result.host].name,
            str(result.outcome),
            ", its worker was killed" if "worker process" in (result.error or "") else "",
        )
        for result in results
    )


if __name__ == "__main__":
    main()
