"""What `compare` says was used, against what GNU time says of the same process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fleetrun.runs import Usage

pytestmark = pytest.mark.long

BURNING = Path(__file__).parents[1] / "unit" / "compare"
"""The folder of the module `burning`."""

PROGRAM = """\
import json, os
from resource import RUSAGE_SELF, getrusage
from burning import BurningConnect
from fleetrun.compare.measure import measure
from fleetrun.fleet import Fleet
from fleetrun.operations import Exec

names = [f"h{number}" for number in range(4)]
fleet = Fleet(names, mode=MODE, forks=2, connect=BurningConnect(0.1))
events = fleet.events(Exec(command="true"))
before = getrusage(RUSAGE_SELF)
usage = measure(events).usage
print(json.dumps([
    usage.user_seconds + before.ru_utime,
    usage.system_seconds + before.ru_stime,
    usage.voluntary_switches + before.ru_nvcsw,
    usage.involuntary_switches + before.ru_nivcsw,
]), flush=True)
os._exit(0)
"""
"""Measures one round, and says what it used plus what the process had used before: so what time
says of the process as a whole, but for its very end."""

CPU_SLACK_S = 0.05
"""time rounds to hundredths, and the process still has to write a line and to end."""
SWITCHES_SLACK = 20
"""Writing the line and ending may wait or be interrupted a few times."""


def gnu_time() -> str:
    """Return the path of GNU time; without one, skip the test, or fail it when CI=true."""
    found = shutil.which("time")
    if found is None:
        reason = "there is no GNU time on this machine (Debian: apt-get install time)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def measured_by_both(mode: str, log: Path) -> tuple[Usage, Usage]:
    """Return what fleetrun says and what time says of one process."""
    program = PROGRAM.replace("MODE", repr(mode))
    ran = subprocess.run(
        [gnu_time(), "-v", "-o", str(log), sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(BURNING), *sys.path])},
    )
    user, system, voluntary, involuntary = json.loads(ran.stdout)
    ours = Usage(
        user_seconds=user,
        system_seconds=system,
        voluntary_switches=voluntary,
        involuntary_switches=involuntary,
    )
    return ours, said_by_time(log.read_text())


def said_by_time(log: str) -> Usage:
    said = dict(re.findall(r"^\t(.*): ([\d.]+)$", log, re.MULTILINE))
    return Usage(
        user_seconds=float(said["User time (seconds)"]),
        system_seconds=float(said["System time (seconds)"]),
        voluntary_switches=int(said["Voluntary context switches"]),
        involuntary_switches=int(said["Involuntary context switches"]),
    )


@pytest.mark.parametrize("mode", ["threads", "processes", "hybrid"])
def test_processor_time_and_context_switches_agree_with_gnu_time(mode: str, tmp_path: Path) -> None:
    ours, its = measured_by_both(mode, tmp_path / "log")

    assert ours.cpu_seconds >= 4 * 0.1 - 0.001  # it did burn: there is something to agree on
    assert ours.cpu_seconds == pytest.approx(its.cpu_seconds, abs=CPU_SLACK_S)
    assert 0 <= its.voluntary_switches - ours.voluntary_switches <= SWITCHES_SLACK
    assert 0 <= its.involuntary_switches - ours.involuntary_switches <= SWITCHES_SLACK
