"""A fleet that is entered keeps its sessions open from call to call, in every mode."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from fleetrun import Fleet, Report
from fleetrun.executors import Mode, queues
from fleetrun.results import Outcome, Phase
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)
HOSTS = [f"h{number}" for number in range(7)]


@pytest.fixture(autouse=True)
def _nobody_takes_anothers_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep an idle worker from logging in to a host of one that a busy machine holds up."""
    monkeypatch.setattr(queues, "_PATIENCE_S", 60.0)


def logins(file: Path) -> Counter[str]:
    """Return how often each host was logged in to."""
    return Counter(line.split()[0] for line in file.read_text().splitlines())


def processes(file: Path) -> set[int]:
    """Return the processes that logged in."""
    return {int(line.split()[1]) for line in file.read_text().splitlines()}


def all_ok(*reports: Report, hosts: Sequence[str] = HOSTS) -> bool:
    return all(
        [(result.host, result.outcome) for result in report]
        == [(host, Outcome.OK) for host in hosts]
        for report in reports
    )


@every_mode
def test_only_the_first_call_logs_in(mode: Mode, tmp_path: Path) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    with Fleet(HOSTS, mode=mode, forks=4, connect=connect) as fleet:
        first, second, third = (fleet.exec("true") for _ in range(3))
    assert all_ok(first, second, third)
    assert logins(tmp_path / "logins") == Counter(HOSTS)
    assert Phase.AUTH in first["h0"].phase_seconds
    assert list(third["h0"].phase_seconds) == [Phase.SESSION, Phase.EXEC, Phase.RUN]


@every_mode
def test_a_fleet_that_is_not_entered_or_may_keep_none_logs_in_each_time(
    mode: Mode, tmp_path: Path
) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    fleet = Fleet(HOSTS, mode=mode, forks=4, connect=connect)
    fleet.exec("true")
    with Fleet(HOSTS, mode=mode, forks=4, max_sessions=0, connect=connect) as entered:
        entered.exec("true")
        entered.exec("true")
    assert logins(tmp_path / "logins") == Counter(dict.fromkeys(HOSTS, 3))


@every_mode
def test_no_more_sessions_stay_open_than_max_sessions(mode: Mode, tmp_path: Path) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    with Fleet(HOSTS, mode=mode, forks=1, max_sessions=3, connect=connect) as fleet:
        for _ in range(2):
            assert all_ok(fleet.exec("true"))
    counts = logins(tmp_path / "logins")
    assert sorted(counts.values()) == [1, 1, 1, 2, 2, 2, 2]


@every_mode
def test_a_host_that_has_hung_up_meanwhile_is_logged_in_to_again(
    mode: Mode, tmp_path: Path
) -> None:
    fake = FakeHost(logins=tmp_path / "logins")
    hung_up = FakeHost(logins=tmp_path / "logins", hangs_up=True)
    connect = FakeConnect({"h3": hung_up}, others=fake)
    with Fleet(HOSTS, mode=mode, forks=4, connect=connect) as fleet:
        assert all_ok(fleet.exec("true"), fleet.exec("true"))
    assert logins(tmp_path / "logins") == Counter(HOSTS) + Counter({"h3": 1})


@every_mode
def test_a_session_whose_command_was_broken_off_is_not_used_again(
    mode: Mode, tmp_path: Path
) -> None:
    file = tmp_path / "logins"
    lost = FakeHost(logins=file, fails_in=Phase.RUN)
    connect = FakeConnect({"h3": lost}, others=FakeHost(logins=file))
    with Fleet(HOSTS, mode=mode, forks=4, connect=connect) as fleet:
        outcomes = [fleet.exec("true")["h3"].outcome for _ in range(2)]
    assert outcomes == [Outcome.LOST] * 2
    assert logins(file) == Counter(HOSTS) + Counter({"h3": 1})


@every_mode
def test_files_go_over_the_same_sessions(mode: Mode, tmp_path: Path) -> None:
    fake = FakeHost(logins=tmp_path / "logins", files={"f": b"content"})
    with Fleet(HOSTS, mode=mode, forks=4, connect=FakeConnect(others=fake)) as fleet:
        assert all_ok(fleet.exec("true"), fleet.get("f", tmp_path / "got"))
    assert (tmp_path / "got" / "h6" / "f").read_bytes() == b"content"
    assert logins(tmp_path / "logins") == Counter(HOSTS)


@every_mode
def test_a_run_that_was_cancelled_leaves_the_fleet_of_use(mode: Mode, tmp_path: Path) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    with Fleet(HOSTS, mode=mode, forks=2, connect=connect) as fleet:
        stream = fleet.stream("true")
        next(stream)
        stream.close()
        assert all_ok(fleet.exec("true"), fleet.exec("true"))
    assert set(logins(tmp_path / "logins").values()) <= {1, 2}


@pytest.mark.parametrize("mode", [Mode.PROCESSES, Mode.GREENLETS, Mode.HYBRID], ids=str)
def test_the_workers_live_on_and_each_goes_on_with_its_own_hosts(
    mode: Mode, tmp_path: Path
) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    with Fleet(HOSTS, mode=mode, forks=4, connect=connect) as fleet:
        for _ in range(4):
            assert all_ok(fleet.exec("true"))
    assert len(processes(tmp_path / "logins")) <= fleet.plan.workers
    assert logins(tmp_path / "logins") == Counter(HOSTS)


@pytest.mark.parametrize("mode", [Mode.PROCESSES, Mode.GREENLETS, Mode.HYBRID], ids=str)
def test_a_worker_that_dies_between_two_calls_is_replaced(mode: Mode, tmp_path: Path) -> None:
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins"))
    with Fleet(HOSTS, mode=mode, forks=4, connect=connect) as fleet:
        assert all_ok(fleet.exec("true"))
        for pid in processes(tmp_path / "logins"):
            os.kill(pid, signal.SIGKILL)
        assert all_ok(fleet.exec("true"), fleet.exec("true"))
    assert logins(tmp_path / "logins") == Counter(dict.fromkeys(HOSTS, 2))


def test_an_idle_worker_takes_the_hosts_of_one_that_is_busy_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_PATIENCE_S", 0.5)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    fake = FakeHost(
        logins=tmp_path / "logins", rendezvous=Rendezvous(folder=meeting, count=2)
    )  # two hosts meet, so that each of two workers has one at least
    with Fleet(HOSTS, mode=Mode.PROCESSES, forks=2, connect=FakeConnect(others=fake)) as fleet:
        assert all_ok(fleet.exec("true"))
        homes = dict(line.split() for line in (tmp_path / "logins").read_text().splitlines())
        held_up = int(homes["h0"])
        os.kill(held_up, signal.SIGSTOP)
        results: dict[str, Outcome] = {}
        try:
            for result in fleet.stream("true"):
                results[result.host] = result.outcome
                if len(results) == len(HOSTS) - 1:  # all but the one that was given to it
                    os.kill(held_up, signal.SIGCONT)
        finally:
            os.kill(held_up, signal.SIGCONT)
    assert results == dict.fromkeys(HOSTS, Outcome.OK)


@every_mode
def test_closing_the_fleet_ends_what_was_kept(mode: Mode) -> None:
    with Fleet(HOSTS, mode=mode, forks=4, connect=FakeConnect()) as fleet:
        fleet.exec("true")
    fleet.close()
