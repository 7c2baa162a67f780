"""`fleetrun compare` as its user calls it, on the practice fleet."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fleetrun.lab import Lab

pytestmark = pytest.mark.long

HOSTS = 4
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab that the tests of this file share."""
    with Lab(HOSTS) as lab:
        yield lab


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fleetrun", "compare", *arguments]


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_each_mode_does_the_same_work_on_a_fleet_made_for_the_occasion() -> None:
    modes = "sequential,threads,processes"
    arguments = ("--modes", modes, "--repeat", "2", "--format", "json")
    ran = compare("--lab", "3", "echo $FLEETRUN_LAB_HOST", *arguments)

    assert ran.returncode == 0, ran.stderr
    sequential, threads, processes = json.loads(ran.stdout)["runs"]
    assert [run["mode"] for run in (sequential, threads, processes)] == modes.split(",")
    assert [run["ok"] for run in (sequential, threads, processes)] == [3, 3, 3]
    assert (sequential["peak_overlap"], sequential["speedup"]) == (1, 1.0)
    # What the servers of the lab hold and use is not in it.
    assert (sequential["peak_processes"], processes["peak_processes"]) == (1, 4)
    # Each worker imports paramiko anew, which costs more than three logins.
    assert processes["cpu_seconds"] > sequential["cpu_seconds"] > 0
    assert "fleetrun: warm-up on lab1, not measured\n" in ran.stderr


def test_hosts_that_can_only_go_on_together_overlap_in_threads(lab: Lab) -> None:
    # lab1 waits for nobody: it is alone in the warm-up.
    meet = (
        "[ $FLEETRUN_LAB_HOST = lab1 ] && exit; touch ../lab1/$FLEETRUN_LAB_HOST; "
        "until [ $(ls ../lab1 | wc -l) = 3 ]; do sleep 0.02; done"
    )

    ran = compare("-i", str(lab.inventory), meet, "--modes", "threads", "--format", "json")

    (run,) = json.loads(ran.stdout)["runs"]
    assert (run["ok"], run["speedup"]) == (HOSTS, None)
    assert run["peak_overlap"] >= HOSTS - 1


def test_a_host_that_fails_is_counted_flagged_and_in_the_exit_code(lab: Lab) -> None:
    ran = compare(
        "-i", str(lab.inventory), "test $FLEETRUN_LAB_HOST != lab2", "--modes", "sequential,threads"
    )

    assert ran.returncode == 1
    rows = ran.stdout.split("\n\n")[0].splitlines()[1:]
    assert [row.split()[-2:] for row in rows] == [["3", "1"]] * 2
    flaw = "is not comparable: 1 of 4 hosts not ok, first lab2: failed in run: exit status 1"
    for mode in ("sequential", "threads"):
        assert f"fleetrun: {mode} {flaw}" in ran.stderr


def test_ctrl_c_ends_it_and_shows_what_there_is(lab: Lab) -> None:
    # lab1 never waits, and the others not while nothing is measured yet: once in each mode.
    forever = (
        "[ $FLEETRUN_LAB_HOST = lab1 ] && exit; echo >>seen; [ $(wc -l <seen) -lt 3 ] || sleep 1000"
    )
    modes = ("--modes", "sequential,threads", "--repeat", "2")
    arguments = command_line("-i", str(lab.inventory), forever, *modes)
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("fleetrun: sequential"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130
    rows = out.split("\n\n")[0].splitlines()
    assert [row.split()[0] for row in rows] == ["mode", "sequential"]
    assert "sequential is not comparable" in err


@pytest.mark.parametrize("workload", ["cpu-remote=100", "transfer=200k", "mixed"])
def test_a_workload_is_done_on_real_sessions_and_leaves_nothing_there(
    lab: Lab, workload: str
) -> None:
    before = sorted(lab.folder.rglob("*"))

    ran = compare(
        *("-i", str(lab.inventory), "--workload", workload, "--modes", "threads,processes"),
        *("--repeat", "1", "--format", "json"),
    )

    assert ran.returncode == 0, ran.stderr
    runs = json.loads(ran.stdout)["runs"]
    assert [(run["mode"], run["ok"]) for run in runs] == [("threads", 4), ("processes", 4)]
    assert sorted(lab.folder.rglob("*")) == before
    assert ("transfer" in runs[0]["phase_seconds"]) is (workload != "cpu-remote=100")
