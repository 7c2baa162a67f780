"""What each way to call does to its caller, on hosts in memory: counts and orders, no clock."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import pytest

from fleetrun.compare.calls import measure_calls
from fleetrun.compare.calls.caller import Caller
from fleetrun.compare.calls.explain import explain
from fleetrun.compare.calls.styles import STYLES, Work
from fleetrun.executors import Mode
from fleetrun.findings.calls import CallRun
from fleetrun.fleet import Fleet
from fleetrun.given import read_hosts
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

pytestmark = pytest.mark.long

HOSTS = read_hosts(["h1", "h2", "h3"])


def run(style: str, connect: FakeConnect, mode: Mode = Mode.THREADS) -> Caller:
    caller = Caller()
    work = Work(
        hosts=HOSTS,
        command="true",
        fleet=lambda hosts: Fleet(hosts, mode=mode, forks=64, connect=connect),
    )
    STYLES[style](caller, work)
    return caller


def names(caller: Caller) -> set[str]:
    return {result.host for result in caller.results}


@pytest.mark.parametrize("style", STYLES)
def test_in_every_style_the_caller_knows_each_result_once(style: str) -> None:
    caller = run(style, FakeConnect())

    assert len(caller.results) == len(HOSTS)
    assert names(caller) == {"h1", "h2", "h3"}
    assert len(caller.delays_s) == len(HOSTS)
    assert min(caller.delays_s) >= 0


@pytest.mark.parametrize("style", [style for style in STYLES if style != "one by one"])
def test_all_hosts_are_begun_at_once(style: str, tmp_path: Path) -> None:
    meeting = Rendezvous(folder=tmp_path, count=len(HOSTS))
    connect = FakeConnect({host.name: FakeHost(rendezvous=meeting) for host in HOSTS})

    caller = run(style, connect)

    assert all(result.ok for result in caller.results)


def test_one_by_one_begins_a_host_when_the_one_before_has_ended() -> None:
    results = run("one by one", FakeConnect()).results

    assert [result.host for result in results] == ["h1", "h2", "h3"]
    for before, after in pairwise(results):
        assert before.started_at_s is not None
        assert after.started_at_s is not None
        assert after.started_at_s >= before.started_at_s + before.seconds


@pytest.mark.parametrize("style", ["one by one", "exec", "wait", "as_completed"])
def test_a_caller_who_waits_does_none_of_its_own_work(style: str) -> None:
    caller = run(style, FakeConnect({"h2": FakeHost(takes_s=0.05)}))

    assert (caller.ticks, caller.looks) == (0, 0)
    assert caller.held_seconds > 0


@pytest.mark.parametrize("style", ["callbacks", "aexec", "astream", "poll 1 ms", "poll 10 ms"])
def test_a_caller_who_is_free_does_its_own_work(style: str) -> None:
    caller = run(style, FakeConnect({"h2": FakeHost(takes_s=0.2)}))

    assert caller.ticks > 0


def test_only_polling_looks_and_without_a_pause_it_looks_most() -> None:
    connect = FakeConnect({"h2": FakeHost(takes_s=0.2)})
    looks = {style: run(style, connect).looks for style in STYLES}

    assert [style for style, count in looks.items() if count] == [
        "poll without pause", "poll 1 ms", "poll 10 ms", "poll 100 ms",
    ]  # fmt: skip
    assert looks["poll without pause"] > looks["poll 10 ms"] > looks["poll 100 ms"]


def test_what_was_missed_while_held_is_not_made_up_for() -> None:
    caller = Caller()
    caller.work_for(0.02)
    done = caller.ticks
    caller._due_s -= 1.0  # as after a second in a call
    caller.tick()
    caller.tick()

    assert done >= 1
    assert caller.ticks == done + 1


def test_each_style_is_measured_in_each_mode() -> None:
    said: list[str] = []

    found = measure_calls(
        HOSTS,
        "true",
        modes=[Mode.THREADS, Mode.SEQUENTIAL],
        forks=64,
        tell=said.append,
        connect=FakeConnect(),
    )

    assert [(run.mode, run.style) for run in found.runs] == [
        (mode, style) for mode in ("threads", "sequential") for style in STYLES
    ]
    assert {(run.ok, run.not_ok, run.exit_code) for run in found.runs} == {(3, 0, 0)}
    assert found.runs[0].peak_overlap == 1
    assert said[:2] == ["warm-up on h1, not measured", "threads: one by one"]
    assert "a pool of 64 behaves like a pool of 1" in found.says


def test_a_host_that_fails_is_told_and_nothing_else_is_concluded() -> None:
    found = measure_calls(
        HOSTS,
        "true",
        modes=[Mode.THREADS],
        forks=64,
        tell=lambda _: None,
        connect=FakeConnect({"h2": FakeHost(exit_status=3)}),
    )

    assert {(run.ok, run.not_ok, run.exit_code, run.problem) for run in found.runs} == {
        (2, 1, 1, "h2: failed")
    }
    assert found.says == (
        "Not every host was ok (h2: failed), so that the figures compare different work."
    )


def made_up(style: str, **fields: float) -> CallRun:
    run = CallRun(
        style=style,
        mode="threads",
        wall_seconds=1.0,
        held_seconds=0.0,
        ticks=0,
        looks=0,
        wake_ups=None,
        cpu_seconds=0.001,
        delay_p50_seconds=0.001,
        delay_max_seconds=0.001,
        peak_overlap=8,
        ok=8,
        not_ok=0,
        exit_code=0,
    )
    return dataclasses.replace(run, **fields)


@pytest.mark.parametrize(("wall_s", "slowed"), [(1.0, False), (1.6, True)])
def test_polling_is_said_to_slow_the_work_only_when_it_did(wall_s: float, slowed: bool) -> None:  # noqa: FBT001
    runs = [made_up(style) for style in STYLES if style != "poll without pause"]
    says = explain([*runs, made_up("poll without pause", wall_seconds=wall_s)], forks=64)

    assert ("slowed the work itself, 1.6 s instead of 1 s" in says) is slowed
