"""Failure limits, and hosts that are kept from being begun."""

from __future__ import annotations

from pathlib import Path

import pytest
from executor_runs import every_mode, jobs_on, results_in

from fleetrun.events import Event, Finished, Started
from fleetrun.executors import Mode, execute, make_plan
from fleetrun.executors.ledger import MayBegin
from fleetrun.executors.pool import Latch, Order, do
from fleetrun.executors.tally import Tally
from fleetrun.results import Outcome, Phase, Result
from fleetrun.session import Cancel
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

HOSTS = 24
FAILS = FakeHost(exit_status=3)
REFUSES = FakeHost(fails_in=Phase.CONNECT)
IS_LOST = FakeHost(fails_in=Phase.RUN)
IS_LATE = FakeHost(times_out_in=Phase.RUN)


def limited_run(
    mode: Mode,
    connect: FakeConnect,
    tally: Tally | None = None,
    *,
    forks: int = 1,
    may_begin: MayBegin | None = None,
) -> list[Event]:
    jobs = jobs_on(f"h{number}" for number in range(HOSTS))
    plan = make_plan(mode, forks=forks, hosts=HOSTS)
    cancel = Cancel()
    events = list(execute(plan, jobs, connect, cancel, tally=tally, may_begin=may_begin))
    cancel.close()
    return events


@every_mode
@pytest.mark.parametrize(
    ("limits", "failing", "begun"),
    [
        pytest.param({"most_failed": 0}, FAILS, 1, id="no-failure"),
        pytest.param({"most_failed": 3}, FAILS, 4, id="three-failures"),
        pytest.param({"most_failed": 1}, IS_LOST, 2, id="lost"),
        pytest.param({"most_failed": 1}, IS_LATE, 2, id="timeout"),
        pytest.param({"most_unreachable": 2}, REFUSES, 3, id="unreachable"),
        pytest.param({"most_unreachable": 0}, FAILS, HOSTS, id="another-kind"),
        pytest.param({"most_failed": 0}, REFUSES, HOSTS, id="yet-another-kind"),
    ],
)
def test_no_host_is_begun_after_the_limit_is_passed(
    mode: Mode, limits: dict[str, int], failing: FakeHost, begun: int
) -> None:
    tally = Tally(**limits)
    events = limited_run(mode, FakeConnect(others=failing), tally)
    assert sum(isinstance(event, Started) for event in events) == begun
    results = results_in(events)
    assert len(results) == HOSTS
    rest = [result for result in results.values() if result.outcome is Outcome.NOT_RUN]
    assert len(rest) == HOSTS - begun
    assert all("the failure limit was passed: more than" in str(r.error) for r in rest)
    assert (tally.reason is not None) == bool(rest)


@every_mode
def test_what_runs_when_the_limit_is_passed_goes_on_to_its_end(mode: Mode, tmp_path: Path) -> None:
    if make_plan(mode, forks=2, hosts=HOSTS).at_once < 2:
        return  # nothing else runs then
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))
    connect = FakeConnect({"h0": meeting}, others=FAILS)
    jobs = jobs_on(f"h{number}" for number in range(HOSTS))
    cancel, seen = Cancel(), []
    plan = make_plan(mode, forks=2, hosts=HOSTS)
    for event in execute(plan, jobs, connect, cancel, tally=Tally(most_failed=0)):
        seen.append(event)
        if len(results_in(seen)) == HOSTS - 1:
            (tmp_path / "somebody").touch()  # only now does it end
    cancel.close()
    results = results_in(seen)
    assert results.pop("h0").ok
    outcomes = [result.outcome for result in results.values()]
    assert outcomes.count(Outcome.FAILED) == 1
    assert outcomes.count(Outcome.NOT_RUN) == HOSTS - 2


def test_a_job_that_was_given_out_before_the_limit_was_passed_is_not_begun_after_it() -> None:
    (job,) = jobs_on(["a"])
    events: list[Event] = []
    latch, cancel = Latch(), Cancel()
    latch.fall("too many")
    do(Order(job, cancel, latch), FakeConnect(), events.append)
    cancel.close()
    (only,) = events
    assert isinstance(only, Finished)
    assert (only.result.outcome, only.result.error) == (Outcome.NOT_RUN, "too many")


@every_mode
@pytest.mark.parametrize("forks", [1, 4])
def test_a_host_that_may_not_begin_is_not_run_and_holds_up_no_other(mode: Mode, forks: int) -> None:
    asked = []

    def may_begin(host: str) -> bool:
        asked.append(host)
        return int(host[1:]) % 2 == 0

    results = results_in(limited_run(mode, FakeConnect(), forks=forks, may_begin=may_begin))
    assert len(results) == HOSTS
    assert {host for host, result in results.items() if result.ok} == {
        f"h{number}" for number in range(0, HOSTS, 2)
    }
    assert sorted(asked) == sorted(results)


@every_mode
def test_a_run_in_which_no_host_may_begin_ends_at_once(mode: Mode) -> None:
    results = results_in(limited_run(mode, FakeConnect(), may_begin=lambda _: False))
    assert {result.outcome for result in results.values()} == {Outcome.NOT_RUN}


def test_a_tally_counts_through_several_runs() -> None:
    tally = Tally(most_failed=1)
    assert tally.is_limited
    failed = Result(host="a", outcome=Outcome.FAILED)
    tally.note(failed)
    assert tally.reason is None
    tally.note(Result(host="b", outcome=Outcome.NOT_RUN))
    assert tally.reason is None
    tally.note(failed)
    assert tally.reason == "the failure limit was passed: more than 1 failed"
    assert not Tally().is_limited
