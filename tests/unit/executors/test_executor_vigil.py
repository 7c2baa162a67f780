"""Workers that hang: found and killed, in all modes that have workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from executor_runs import jobs_on, pid_at, results_in, worker_modes, workers_of

from fleetrun.events import Event, PhaseReached
from fleetrun.executors import Carrier, Mode, Plan, execute, make_plan, process, vigil
from fleetrun.hosts import Host
from fleetrun.results import Outcome, Phase
from fleetrun.session import Cancel, Connect, OnPhase, Session
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

PLANS = [
    *(make_plan(mode, forks=2, hosts=12) for mode in (Mode.PROCESSES, Mode.GREENLETS, Mode.HYBRID)),
    make_plan(Mode.HYBRID, forks=4, hosts=12, carrier=Carrier.THREADS),
    workers_of(Mode.DASK, workers=2),
]
pytestmark = pytest.mark.long

every_plan = pytest.mark.parametrize(
    "plan", PLANS, ids=[f"{plan.mode}-{plan.carrier}" for plan in PLANS]
)


def run(plan: Plan, connect: Connect, hosts: int = 12) -> list[Event]:
    cancel = Cancel()
    events = list(execute(plan, jobs_on(f"h{n}" for n in range(hosts)), connect, cancel))
    cancel.close()
    return events


@every_plan
def test_a_worker_that_stops_answering_is_killed_and_the_others_take_over(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "QUIET_S", 0.2)
    monkeypatch.setattr(vigil, "ANSWER_BOUND_S", 0.5)
    log = tmp_path / "log"
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    endless = FakeHost(rendezvous=Rendezvous(folder=meeting, count=99, patience_s=3600))
    connect = FakeConnect({"h0": endless}, others=FakeHost(log=log))
    seen: list[Event] = []
    cancel = Cancel()
    for event in execute(plan, jobs_on(f"h{n}" for n in range(12)), connect, cancel):
        seen.append(event)
        if isinstance(event, PhaseReached) and (event.host, event.phase) == ("h0", Phase.RUN):
            os.kill(pid_at(meeting, "h0"), signal.SIGSTOP)
    cancel.close()
    results = results_in(seen)
    assert (results["h0"].outcome, results["h0"].may_still_run) == (Outcome.LOST, True)
    assert "it did not answer for 0.5 s" in str(results["h0"].error)
    assert len(results) == 12
    begun = log.read_text().split()
    assert len(begun) == len(set(begun))
    assert {r.outcome for r in results.values()} <= {Outcome.OK, Outcome.LOST, Outcome.UNREACHABLE}
    assert sum(not result.ok for result in results.values()) <= plan.width


@every_plan
def test_a_worker_that_is_busy_with_slow_hosts_and_answers_is_left_alone(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "QUIET_S", 0.05)
    results = results_in(run(plan, FakeConnect(others=FakeHost(takes_s=0.5)), hosts=2))
    assert [result.outcome for result in results.values()] == [Outcome.OK, Outcome.OK]


class Hangs:
    """A `Connect` that hangs where it is unpickled: the first time, or always."""

    def __init__(self, flag: Path, *, always: bool) -> None:
        self.flag = flag
        self.always = always

    def __reduce__(self) -> tuple[object, tuple[Path, bool]]:
        return _hang, (self.flag, self.always)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        raise AssertionError(f"called here: {host}, {on_phase}, {cancel}")


def _hang(flag: Path, always: bool) -> FakeConnect:  # noqa: FBT001 (called by a pickle)
    if always or not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return FakeConnect()


@every_plan
def test_a_worker_that_hangs_before_it_is_ready_is_killed_and_replaced(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, bound_s = tmp_path / "flag", vigil.READY_BOUND_S
    start = process._start

    def start_and_hurry(descriptor: int, carrier: Carrier) -> object:
        monkeypatch.setattr(vigil, "READY_BOUND_S", bound_s if first.exists() else 2.0)
        return start(descriptor, carrier)

    monkeypatch.setattr(vigil, "READY_BOUND_S", 2.0)
    monkeypatch.setattr(process, "_start", start_and_hurry)
    results = results_in(run(plan, Hangs(first, always=False)))
    assert first.exists()
    assert [result.outcome for result in results.values()] == [Outcome.OK] * 12


@worker_modes
def test_hosts_are_not_run_when_every_worker_hangs(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "READY_BOUND_S", 0.5)
    plan = workers_of(mode, workers=2)
    results = results_in(run(plan, Hangs(tmp_path / "flag", always=True), hosts=4))
    assert {(result.outcome, result.error) for result in results.values()} == {
        (
            Outcome.NOT_RUN,
            "no worker process could be kept alive; the last one: it was not ready within 0.5 s",
        )
    }
