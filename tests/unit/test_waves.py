"""Rolling waves: which hosts are in each, what is looked at in between, and what stops them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fleetrun import Fleet, Host, Outcome, Phase, Report, Waves
from fleetrun.errors import UsageError
from fleetrun.events import Event, Finished, Started
from fleetrun.executors import Mode
from fleetrun.operations import Exec
from fleetrun.session import Cancel
from fleetrun.testing import FakeConnect, FakeHost

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)

CHECK = "is it up"
SICK = FakeHost(exit_statuses={CHECK: 7})


def hosts(count: int) -> list[Host]:
    return [Host(name=f"h{number}") for number in range(count)]


def rolled_out(fakes: dict[str, FakeHost], waves: Waves, **options: int | str) -> Report:
    mode = options.pop("mode", Mode.THREADS)
    assert isinstance(mode, str)
    limits = {"max_fail": options.get("max_fail"), "max_unreachable": options.get("unreachable")}
    with Fleet(hosts(10), mode=mode, forks=4, connect=FakeConnect(fakes), **limits) as fleet:
        return fleet.exec("restart", waves=waves)


def not_run(report: Report) -> list[str]:
    return [result.host for result in report if result.outcome is Outcome.NOT_RUN]


@pytest.mark.parametrize(
    ("waves", "count", "sizes"),
    [
        pytest.param(Waves(), 10, [10], id="one"),
        pytest.param(Waves(canary=1), 10, [1, 9], id="canary"),
        pytest.param(Waves(canary=20), 10, [10], id="more-canaries-than-hosts"),
        pytest.param(Waves(batch=(4,)), 10, [4, 4, 2], id="the-only-size-repeats"),
        pytest.param(Waves(batch=(1, "20%", "50%")), 20, [1, 4, 10, 5], id="the-last-repeats"),
        pytest.param(Waves(canary=2, batch=(5, "10%")), 10, [2, 5, 1, 1, 1], id="both"),
        pytest.param(Waves(batch=("1%",)), 3, [1, 1, 1], id="one-host-at-least"),
        pytest.param(Waves(batch=("100%",)), 3, [3], id="all"),
    ],
)
def test_the_waves_of_a_fleet(waves: Waves, count: int, sizes: list[int]) -> None:
    assert list(waves.sizes(count)) == sizes


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda: Waves(canary=-1), "canary is -1", id="canary"),
        pytest.param(lambda: Waves(pause_s=-0.1), "pause_s is -0.1", id="pause"),
        pytest.param(lambda: Waves(pause_s=float("nan")), "pause_s is nan", id="no-number"),
        pytest.param(lambda: Waves(batch=(0,)), "a batch of 0 hosts", id="empty-batch"),
        pytest.param(lambda: Waves(batch=("0%",)), "a batch of 0% hosts", id="no-percent"),
        pytest.param(lambda: Waves(batch=("x",)), "no number of hosts", id="batch"),
        pytest.param(lambda: Waves(health=" "), "the command is empty", id="health"),
    ],
)
def test_what_cannot_be_a_wave_is_said_at_once(make: Callable[[], Waves], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


@every_mode
def test_a_wave_begins_when_the_one_before_it_has_ended(mode: Mode) -> None:
    waves = Waves(canary=1, batch=(3,), health=CHECK)
    with Fleet(hosts(10), mode=mode, forks=4, connect=FakeConnect()) as fleet:
        events = list(fleet.events(Exec(command="restart"), waves=waves))
    assert sum(isinstance(event, Finished) for event in events) == 10
    ended: set[str] = set()
    for event in events:
        if isinstance(event, Finished):
            ended.add(event.host)
        if isinstance(event, Started):
            wave = (int(event.host[1:]) + 2) // 3
            before = {f"h{number}" for number in range(10) if (number + 2) // 3 < wave}
            assert before <= ended
    assert_in_order(events)


def assert_in_order(events: Sequence[Event]) -> None:
    """Assert that each host has one `Started` and one `Finished`, its first and its last event."""
    for host in {event.host for event in events}:
        own = [event for event in events if event.host == host]
        assert isinstance(own[0], Started)
        assert isinstance(own[-1], Finished)
        assert sum(isinstance(event, Started | Finished) for event in own) == 2


@every_mode
@pytest.mark.parametrize(
    ("fake", "outcome"),
    [
        pytest.param(FakeHost(exit_status=3), Outcome.FAILED, id="failed"),
        pytest.param(FakeHost(fails_in=Phase.CONNECT), Outcome.UNREACHABLE, id="unreachable"),
        pytest.param(SICK, Outcome.FAILED, id="sick"),
    ],
)
def test_without_a_limit_a_wave_that_is_not_ok_is_the_last(
    mode: Mode, fake: FakeHost, outcome: Outcome
) -> None:
    report = rolled_out({"h2": fake}, Waves(canary=1, batch=(4,), health=CHECK), mode=mode)
    assert report["h2"].outcome is outcome
    assert not_run(report) == [f"h{number}" for number in range(5, 10)]
    assert {report[host].error for host in not_run(report)} == {"an earlier wave was not ok: h2"}
    assert all(report[f"h{number}"].ok for number in (0, 1, 3, 4))


@every_mode
def test_a_host_that_is_not_healthy_counts_for_the_limits(mode: Mode) -> None:
    sick = {f"h{number}": SICK for number in (1, 4, 7)}
    waves = Waves(batch=(3,), health=CHECK)
    tolerant = rolled_out(sick, waves, mode=mode, max_fail=3)
    assert not_run(tolerant) == []
    assert [result.host for result in tolerant.failed] == list(sick)
    strict = rolled_out(sick, waves, mode=mode, max_fail=1)
    assert not_run(strict) == [f"h{number}" for number in range(6, 10)]
    assert strict["h9"].error == "the failure limit was passed: more than 1 failed"


def test_a_limit_holds_within_a_wave_too() -> None:
    failing = {f"h{number}": FakeHost(exit_status=1) for number in range(10)}
    report = rolled_out(failing, Waves(batch=(8,)), mode="sequential", max_fail=1)
    assert not_run(report) == [f"h{number}" for number in range(2, 10)]


def test_a_host_whose_health_cannot_be_looked_at_has_failed() -> None:
    gone = FakeHost(exit_statuses={CHECK: 1}, stdout=b"", stderr=b"\nconnection refused\n\n")
    report = rolled_out({"h0": gone}, Waves(canary=1, health=CHECK))
    assert report["h0"].error == "its health check failed: exit status 1: connection refused"
    assert report["h0"].exit_status == 0  # that of the command itself


def test_only_hosts_that_are_ok_are_looked_at_and_each_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    fakes = {f"h{number}": FakeHost(log=log) for number in range(10)}
    fakes["h4"] = FakeHost(log=log, exit_status=3)
    report = rolled_out(fakes, Waves(batch=(5,), health=CHECK), max_fail=5)
    assert [result.host for result in report.failed] == ["h4"]
    counts = {host: log.read_text().split().count(host) for host in fakes}
    assert counts == {host: 1 if host == "h4" else 2 for host in fakes}


@every_mode
def test_cancelling_in_a_pause_ends_it_and_says_what_was_not_looked_at(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = Cancel.wait

    def press_and_wait(cancel: Cancel, seconds: float) -> bool:
        fleet.cancel()
        return wait(cancel, seconds)

    monkeypatch.setattr(Cancel, "wait", press_and_wait)  # nothing here waits but the pause
    with Fleet(hosts(6), mode=mode, connect=FakeConnect()) as fleet:
        report = fleet.exec("restart", waves=Waves(canary=2, pause_s=3600, health=CHECK))
    assert [result.outcome for result in report] == [*[Outcome.OK] * 2, *[Outcome.NOT_RUN] * 4]
    for host in ("h0", "h1"):
        assert str(report[host].error).startswith("its health was not checked: the run was")


@every_mode
def test_closing_the_stream_in_a_wave_begins_no_other(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    connect = FakeConnect(others=FakeHost(log=log))
    with Fleet(hosts(6), mode=mode, connect=connect) as fleet:
        results = fleet.stream("restart", waves=Waves(batch=(2,)))
        next(results)
        results.close()
    assert set(log.read_text().split()) <= {"h0", "h1"}
