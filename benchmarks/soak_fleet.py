"""Run on many hosts with random faults, killed workers and cancels, for minutes: does all hold?

    python benchmarks/soak_fleet.py --minutes 10 --hosts-from 127.2.0.1:2350*2000 \
        --host-key host.pub --private-key k

Every run takes another mode, another draw of fates, and sometimes kills workers or is cancelled.
After each, every host must have exactly one result, a right one, and this process must have the
threads, descriptors and children that it began with. Ends with 1 at the first run that is wrong,
and names its seed. By hand; it takes as long as it is told.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import addresses
import child
import fates

from fleetrun.events import Finished
from fleetrun.executors import Mode, execute, make_plan
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.results import Result
from fleetrun.session import Cancel
from fleetrun.ssh import SshConnect

_MODES = (Mode.THREADS, Mode.GREENLETS, Mode.HYBRID)
_CUTS = 8
_LOGIN_BYTES = 5000
"""About what a login and a short command take, both ways together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What this process has of what must not leak."""

    threads: int
    descriptors: int
    children: int

    @classmethod
    def now(cls) -> Holdings:
        """Count."""
        return cls(
            threads=threading.active_count(),
            descriptors=len(list(Path("/proc/self/fd").iterdir())),
            children=len(fates.children()),
        )


def main() -> None:
    """Run until the time is up or something is wrong."""
    options = _options()
    child.allow_many_files()
    until_s = time.monotonic() + options.minutes * 60
    with (
        tempfile.TemporaryDirectory() as folder,
        addresses.addresses(options, Path(folder)) as fleet,
    ):
        hosts = fates.hosts_of(fleet)
        for seed in itertools.count(options.seed):
            if time.monotonic() > until_s:
                return
            wrong = _round(hosts, seed, options.forks)
            if wrong:
                print(f"seed {seed}:", *wrong[:20], sep="\n")
                sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Soak a fleet in faults.")
    addresses.add_options(parser)
    parser.set_defaults(lab=100)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--forks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    return parser.parse_args()


def _round(hosts: Sequence[Host], seed: int, forks: int) -> list[str]:
    """Do one run and return what is wrong with it."""
    chance = random.Random(seed)  # noqa: S311 (a draw that can be repeated)
    before = Holdings.now()
    began_s = time.monotonic()
    with contextlib.ExitStack() as servers:
        bad = [servers.enter_context(fates.refusing()), servers.enter_context(fates.silent())]
        for _ in range(_CUTS):
            cut = fates.cut(chance.choice(hosts), chance.randrange(_LOGIN_BYTES))
            bad.append(servers.enter_context(cut))
        shares = {fate: chance.uniform(0, 0.02) for fate in (*bad, fates.HANGS, fates.EXITS_3)}
        fate_of = fates.share_out(hosts, shares, chance)
        run = _Run(chance, forks, len(hosts))
        results = run.results([fate_of[host.name].job(host) for host in hosts])
    wrong = _judge(results, fate_of, disturbed=run.disturbed)
    after = Holdings.now()
    if after != before:
        wrong.append(f"left behind: {before} became {after}")
    told = collections.Counter(str(result.outcome) for result in results)
    print(f"seed {seed}: {run.told}, {time.monotonic() - began_s:.1f} s: {dict(told)}", flush=True)
    return wrong


class _Run:
    """One run, and what is done to it meanwhile."""

    def __init__(self, chance: random.Random, forks: int, hosts: int) -> None:
        self._chance = chance
        self._plan = make_plan(chance.choice(_MODES), forks=forks, hosts=hosts)
        kills = chance.randrange(3) if self._plan.workers else 0
        self._kill_at = {chance.randrange(1, hosts) for _ in range(kills)}
        self._cancel_at = chance.randrange(1, hosts) if chance.random() < 0.2 else None
        self.disturbed = bool(self._kill_at) or self._cancel_at is not None

    @property
    def told(self) -> str:
        """What the run is, in words."""
        cancelled = "" if self._cancel_at is None else ", cancelled"
        return f"{self._plan.mode}, {len(self._kill_at)} workers killed{cancelled}"

    def results(self, jobs: Sequence[Job]) -> list[Result]:
        """Do the jobs and return what came of them."""
        cancel, spared = Cancel(), fates.children()
        results: list[Result] = []
        for event in execute(self._plan, jobs, SshConnect(), cancel):
            if isinstance(event, Finished):
                results.append(event.result)
                if len(results) in self._kill_at:
                    fates.kill_a_worker(self._chance, spared=spared)
                if len(results) == self._cancel_at:
                    cancel.press()
        cancel.close()
        return results


def _judge(
    results: Sequence[Result], fate_of: dict[str, fates.Fate], *, disturbed: bool
) -> list[str]:
    counts = collections.Counter(result.host for result in results)
    numbers = [f"{name}: {counts[name]} results" for name in fate_of if counts[name] != 1]
    judged = (fate_of[result.host].wrong(result, disturbed=disturbed) for result in results)
    return numbers + [line for line in judged if line]


if __name__ == "__main__":
    main()
