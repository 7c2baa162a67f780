"""`fleetrun compare` as its user calls it, on the practice fleet."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fleetrun.lab import Lab

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
    ran = compare("--lab", "3", "echo $FLEETRUN_LAB_HOST", "--modes", modes, "--format", "json")

    assert ran.returncode == 0, ran.stderr
    sequential, threads, processes = json.loads(ran.stdout)["runs"]
    assert [run["mode"] for run in (sequential, threads, processes)] == modes.split(",")
    assert [run["ok"] for run in (sequential, threads, processes)] == [3, 3, 3]
    assert (sequential["peak_overlap"], sequential["speedup"]) == (1, 1.0)
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
    assert [line.split()[-2:] for line in ran.stdout.splitlines()[1:]] == [["3", "1"]] * 2
    flaw = "is not comparable: 1 of 4 hosts not ok, first lab2: failed in run: exit status 1"
    assert ran.stderr.splitlines()[-2:] == [
        f"fleetrun: sequential {flaw}",
        f"fleetrun: threads {flaw}",
    ]


def test_ctrl_c_ends_it_and_shows_what_there_is(lab: Lab) -> None:
    forever = "test $FLEETRUN_LAB_HOST = lab1 || sleep 1000"
    arguments = command_line("-i", str(lab.inventory), forever, "--modes", "sequential,threads")
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("fleetrun: sequential"):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130
    assert [line.split()[0] for line in out.splitlines()] == ["mode", "sequential"]
    assert "sequential is not comparable" in err
