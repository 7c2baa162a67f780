"""Failure limits, rolling waves and workers full of threads, as typed."""

from __future__ import annotations

import json

import pytest
from command_line import CommandLine

from fleetrun.results import Phase
from fleetrun.testing import FakeHost

TEN = ["-i", ",".join(f"h{number}" for number in range(10)) + ","]
ONE_AT_A_TIME = [*TEN, "--mode", "sequential", "--format", "json"]
FAILS = FakeHost(exit_status=3)
REFUSES = FakeHost(fails_in=Phase.CONNECT)


def outcomes(out: str) -> list[str]:
    return [result["outcome"] for result in json.loads(out)["results"]]


@pytest.mark.parametrize(
    ("limit", "fake", "begun"),
    [
        pytest.param(["--max-fail", "0"], FAILS, 1, id="none"),
        pytest.param(["--max-fail", "3"], FAILS, 4, id="number"),
        pytest.param(["--max-fail", "25%"], FAILS, 3, id="percent-of-ten"),
        pytest.param(["--max-unreachable", "1"], REFUSES, 2, id="unreachable"),
        pytest.param(["--max-unreachable", "0"], FAILS, 10, id="another-kind"),
    ],
)
def test_a_failure_limit_leaves_the_rest_alone(
    fleetrun: CommandLine, limit: list[str], fake: FakeHost, begun: int
) -> None:
    fleetrun.meets({f"h{number}": fake for number in range(10)})
    ran = fleetrun("exec", *ONE_AT_A_TIME, *limit, "true")
    assert outcomes(ran.out)[begun:] == ["not_run"] * (10 - begun)
    assert "not_run" not in outcomes(ran.out)[:begun]
    assert ran.code == (4 if fake is REFUSES else 1)
    assert ("the failure limit was passed" in ran.err) == (begun < 10)


@pytest.mark.parametrize("option", ["--max-fail", "--max-unreachable", "--batch"])
@pytest.mark.parametrize("value", ["many", "-1", "101%", "", "5,,5"])
def test_what_is_no_part_of_the_hosts_is_a_usage_error(
    fleetrun: CommandLine, option: str, value: str
) -> None:
    ran = fleetrun("exec", *TEN, option, value, "true")
    assert ran.code == 2
    assert "no number of hosts" in ran.err


def test_a_batch_of_none_is_a_usage_error(fleetrun: CommandLine) -> None:
    ran = fleetrun("exec", *TEN, "--batch", "5,0", "true")
    assert (ran.code, ran.out) == (2, "")
    assert "a batch of 0 hosts would never come to an end" in ran.err


@pytest.mark.parametrize("command", [["exec", "true"], ["put", __file__]], ids=["exec", "put"])
def test_a_canary_that_fails_stops_the_rollout(fleetrun: CommandLine, command: list[str]) -> None:
    fleetrun.meets({"h1": FakeHost(fails_in=Phase.AUTH)})
    ran = fleetrun(*command, *TEN, "--format", "json", "--canary", "2")
    assert outcomes(ran.out) == ["ok", "unreachable", *["not_run"] * 8]
    assert "an earlier wave was not ok: h1" in ran.err


def test_a_host_that_is_not_healthy_has_failed_and_stops_the_next_wave(
    fleetrun: CommandLine,
) -> None:
    fleetrun.meets({"h3": FakeHost(exit_statuses={"is it up": 7}, stderr=b"no\nport closed\n")})
    options = ["--canary", "1", "--batch", "3,50%", "--health", "is it up", "-v"]
    ran = fleetrun("exec", *TEN, *options, "restart")
    assert ran.code == 1
    assert "waves of 1, 3, 5, 1 hosts" in ran.err
    assert "h3: failed in run: its health check failed: exit status 7: port closed" in ran.err
    assert "10 hosts: 3 ok, 1 failed, 6 not run" in ran.err


def test_waves_of_healthy_hosts_reach_everybody(fleetrun: CommandLine) -> None:
    fleetrun.meets({"h3": FakeHost(stdout=b"up\n")})
    ran = fleetrun("exec", *TEN, "--batch", "4", "--health", "true", "--pause", "1ms", "restart")
    assert ran.code == 0
    assert ran.out == "h3: up\n"  # the check's own output is not the command's


def test_threads_fill_the_workers_of_hybrid(fleetrun: CommandLine) -> None:
    ran = fleetrun("exec", *TEN, "--mode", "hybrid", "--threads", "-v", "true")
    assert ran.code == 0
    assert "mode hybrid: " in ran.err
    assert " threads in each of " in ran.err


@pytest.mark.parametrize("mode", ["auto", "sequential", "threads", "processes", "greenlets"])
def test_threads_with_any_other_mode_is_a_usage_error(fleetrun: CommandLine, mode: str) -> None:
    ran = fleetrun("exec", *TEN, "--mode", mode, "--threads", "true")
    assert (ran.code, ran.out) == (2, "")
    assert "for the mode hybrid alone" in ran.err
