"""The fleet: what a program sees of the road."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetrun.errors import InventoryError, UsageError
from fleetrun.events import Finished, Output, Started
from fleetrun.executors import Mode, drive, make_plan
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.inventory import Overrides
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase, Report
from fleetrun.ssh import SshConnect
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)


def hosts(count: int) -> list[Host]:
    return [Host(name=f"h{number}", user="deploy") for number in range(count)]


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.01)


@every_mode
def test_a_report_has_every_host_in_the_order_given(mode: Mode) -> None:
    connect = FakeConnect(
        {"h1": FakeHost(fails_in=Phase.CONNECT), "h2": FakeHost(exit_status=3, takes_s=0.05)},
        others=FakeHost(stdout=b"up 3 days\n"),
    )
    with Fleet(hosts(12), mode=mode, connect=connect) as fleet:
        report = fleet.exec("uptime")
    assert [result.host for result in report] == [f"h{number}" for number in range(12)]
    assert [result.host for result in report.failed] == ["h1", "h2"]
    assert report["h0"].text == "up 3 days"
    assert report.exit_code == 4
    assert report.wall_seconds >= 0.05


@every_mode
def test_results_are_streamed_as_hosts_finish_and_leaving_early_begins_no_more(
    mode: Mode, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    connect = FakeConnect({"h3": FakeHost(exit_status=1, log=log)}, others=FakeHost(log=log))
    with Fleet(hosts(64), mode=mode, forks=2, connect=connect) as fleet:
        had = []
        for result in fleet.stream("reload"):
            had.append(result.host)
            if not result.ok:
                break
    assert had[-1] == "h3"
    begun = log.read_text().split()
    assert len(begun) == len(set(begun)) < len(had) + fleet.plan.at_once


@every_mode
def test_files_go_out_and_come_in(mode: Mode, tmp_path: Path) -> None:
    local = tmp_path / "motd"
    local.write_text("hello")
    connect = FakeConnect(others=FakeHost(files={"/etc/hosts": b"127.0.0.1"}))
    with Fleet(hosts(3), mode=mode, connect=connect) as fleet:
        put = fleet.put(local, "/etc/")
        got = fleet.get("/etc/hosts", tmp_path / "got")
        assert fleet.put([str(local)]).ok
        assert fleet.get(["/etc/hosts"], str(tmp_path / "got")).ok
    assert (put.ok, put["h2"].files) == (True, ("/etc/motd",))
    assert got.ok
    assert (tmp_path / "got/h2/etc/hosts").read_bytes() == b"127.0.0.1"


@every_mode
def test_events_are_the_road_itself(mode: Mode) -> None:
    connect = FakeConnect(others=FakeHost(stdout=b"hi"))
    with Fleet(hosts(2), mode=mode, connect=connect) as fleet:
        events = list(fleet.events(Exec(command="true", live=True)))
    assert sum(isinstance(event, Started) for event in events) == 2
    assert [event.data for event in events if isinstance(event, Output)] == [b"hi", b"hi"]
    assert sum(isinstance(event, Finished) for event in events) == 2


@every_mode
def test_stdin_and_the_output_limit_reach_the_hosts(mode: Mode) -> None:
    connect = FakeConnect(others=FakeHost(stdout=b"0123456789"))
    with Fleet(hosts(1), mode=mode, connect=connect) as fleet:
        report = fleet.exec("true", stdin=b"input", output_limit_bytes=4)
        (streamed,) = fleet.stream("true", output_limit_bytes=4)
    assert (report["h0"].stdout, report["h0"].truncated) == (b"0189", True)
    assert streamed.stdout == b"0189"


@every_mode
def test_a_fleet_is_used_again_and_again_and_from_several_threads_at_once(mode: Mode) -> None:
    reports: list[Report] = []
    with Fleet(hosts(6), mode=mode, forks=2, connect=FakeConnect()) as fleet:
        reports += [fleet.exec("true"), fleet.exec("true")]
        threads = [
            threading.Thread(target=lambda: reports.append(fleet.exec("true"))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [(report.ok, len(report)) for report in reports] == [(True, 6)] * 5


@every_mode
def test_cancel_ends_every_call_that_runs_and_none_that_comes_later(
    mode: Mode, tmp_path: Path
) -> None:
    log, meeting = tmp_path / "log", tmp_path / "meeting"
    log.touch()
    meeting.mkdir()
    waiting = FakeHost(log=log, rendezvous=Rendezvous(folder=meeting, count=2))
    fleet = Fleet(hosts(20), mode=mode, forks=2, connect=FakeConnect({"h0": waiting}))
    reports: list[Report] = []
    threads = [
        threading.Thread(target=lambda: reports.append(fleet.exec("true"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: log.read_text() == "h0\nh0\n")
    fleet.cancel()
    for thread in threads:
        thread.join()
    assert [len(report) for report in reports] == [20, 20]
    assert [report["h0"].outcome for report in reports] == [Outcome.LOST, Outcome.LOST]
    (meeting / "somebody").touch()
    assert fleet.exec("true").ok


@every_mode
def test_a_cancel_before_the_first_event_is_not_missed(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    fleet = Fleet(hosts(4), mode=mode, connect=FakeConnect(others=FakeHost(log=log)))
    results = fleet.stream("true")
    fleet.cancel()
    assert [result.outcome for result in results] == [Outcome.NOT_RUN] * 4
    assert not log.exists()


@every_mode
def test_a_signal_handler_may_cancel(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    connect = FakeConnect(others=FakeHost(takes_s=3600, log=log))
    fleet = Fleet(hosts(4), mode=mode, forks=1, connect=connect)
    before = signal.signal(signal.SIGTERM, lambda *_: fleet.cancel())
    try:
        send_once(signal.SIGTERM, lambda: bool(log.read_text()))
        outcomes = [result.outcome for result in fleet.exec("sleep")]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert outcomes == [Outcome.LOST, *[Outcome.NOT_RUN] * 3]


@every_mode
def test_ctrl_c_ends_what_runs_and_reaches_the_caller(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    connect = FakeConnect(others=FakeHost(takes_s=3600, log=log))
    with Fleet(hosts(4), mode=mode, forks=2, connect=connect) as fleet:
        send_once(signal.SIGINT, lambda: bool(log.read_text()))
        with pytest.raises(KeyboardInterrupt):
            fleet.exec("sleep")
    assert len(log.read_text().split()) <= 2


@every_mode
def test_a_second_ctrl_c_waits_for_no_host(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "ENDING_BOUND_S", 3600.0)
    log = tmp_path / "log"
    log.touch()
    has_workers = make_plan(mode, forks=None, hosts=1).workers > 0
    takes_s = 3600.0 if has_workers else 3.0  # a thread cannot be ended from outside
    connect = FakeConnect(others=FakeHost(takes_s=takes_s, deaf=True, log=log))
    fleet = Fleet(hosts(1), mode=mode, connect=connect)
    send_once(signal.SIGINT, lambda: bool(log.read_text()))
    second = send_once(
        signal.SIGINT,
        lambda: is_cancelled(fleet),
        unless=lambda: bool(log.read_text()) and not fleet._calls.running,  # it has ended
    )

    def sleep() -> None:
        try:
            fleet.exec("sleep")
        finally:  # the first one ends the call where it tears the books; the second may come here
            second.join()

    with pytest.raises(KeyboardInterrupt):
        sleep()
    stuck = [thread for thread in threading.enumerate() if thread.name.startswith("fleetrun-")]
    assert len(stuck) == (0 if has_workers else 1)


def is_cancelled(fleet: Fleet) -> bool:
    with fleet._calls.lock:
        return any(call._cancel and call._cancel.pressed for call in fleet._calls.running)


def send_once(
    signum: signal.Signals,
    condition: Callable[[], bool],
    *,
    unless: Callable[[], bool] = lambda: False,
) -> threading.Thread:
    """Send the main thread a signal as soon as the condition holds, or none once the other does."""
    main = threading.main_thread().ident
    assert main is not None

    def send() -> None:
        eventually(lambda: condition() or unless())
        if not unless():
            signal.pthread_kill(main, signum)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@every_mode
def test_a_closed_fleet_has_ended_what_ran_and_begins_no_more(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    connect = FakeConnect(others=FakeHost(takes_s=3600, log=log))
    with Fleet(hosts(4), mode=mode, forks=1, connect=connect) as fleet:
        events = fleet.events(Exec(command="sleep"))
        next(events)
        eventually(lambda: bool(log.read_text()))
    outcomes = {e.host: e.result.outcome for e in events if isinstance(e, Finished)}
    assert outcomes.pop("h0") is Outcome.LOST
    assert list(outcomes.values()) == [Outcome.NOT_RUN] * 3
    fleet.close()
    for contact in (
        lambda: fleet.exec("true"),
        lambda: fleet.stream("true"),
        lambda: fleet.get("f", tmp_path / "got"),
    ):
        with pytest.raises(UsageError, match="this fleet is closed"):
            contact()


def test_hosts_may_be_given_as_text() -> None:
    fleet = Fleet(["web1", Host(name="db1", user="postgres"), "deploy@web2:2222"])
    assert [(host.name, host.port) for host in fleet.hosts] == [
        ("web1", 22),
        ("db1", 22),
        ("web2", 2222),
    ]
    assert [host.user for host in fleet.hosts][1:] == ["postgres", "deploy"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda: Fleet([]), "at least one host", id="no-host"),
        pytest.param(lambda: Fleet("web1"), r"give a list: \['web1'\]", id="text-for-a-list"),
        pytest.param(
            lambda: Fleet(["web1", "db1", "root@web1"]), "two hosts are named 'web1'", id="twins"
        ),
        pytest.param(
            lambda: Fleet(["web1"], mode="magic"),
            "no mode 'magic'; there are: auto, sequential, threads, processes, greenlets, hybrid",
            id="mode",
        ),
        pytest.param(lambda: Fleet(["web1"], forks=0), "forks is 0", id="forks"),
        pytest.param(
            lambda: Fleet(["web1"], mode="hybrid", carrier="pigeons"),
            "no carrier 'pigeons'; there are: threads, greenlets",
            id="carrier",
        ),
        pytest.param(
            lambda: Fleet(["web1"], max_fail="some"), "'some' is no number of hosts", id="max-fail"
        ),
        pytest.param(
            lambda: Fleet(["web1"], max_unreachable=-1), "'-1' is no number", id="max-unreachable"
        ),
        pytest.param(lambda: Fleet(["web1"]).stream(" "), "the command is empty", id="command"),
        pytest.param(lambda: Fleet(["web1"]).put("/nowhere/f"), "no such file", id="put"),
        pytest.param(lambda: Fleet(["web1"]).get("../f", "got"), "without '..'", id="get"),
    ],
)
def test_what_cannot_be_done_as_written_is_said_at_once(
    make: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_the_plan_is_that_of_the_mode_and_the_default_chooses_one_over_ssh() -> None:
    fleet = Fleet(hosts(90))
    assert (fleet.plan.mode, fleet.plan.workers, fleet.plan.width) == (Mode.THREADS, 0, 64)
    assert fleet.plan.why is not None
    assert fleet._connect == SshConnect()
    assert Fleet(hosts(9), mode="processes", forks=3).plan.workers == 3


def test_a_fleet_comes_from_an_inventory(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text(
        "all:\n  children:\n    web:\n      hosts:\n        web1:\n        web2:\n"
        "    db:\n      hosts:\n        db1:\n"
    )
    overrides = Overrides(user="ops")
    fleet = Fleet.from_inventory(
        inventory,
        limit="web",
        mode="sequential",
        overrides=overrides,
        connect=FakeConnect(others=FakeHost(stdout=b"up")),
    )
    assert [(host.name, host.user) for host in fleet.hosts] == [("web1", "ops"), ("web2", "ops")]
    assert [result.text for result in fleet.exec("uptime")] == ["up", "up"]
    assert [host.name for host in Fleet.from_inventory("a,b,").hosts] == ["a", "b"]
    with pytest.raises(InventoryError):
        Fleet.from_inventory(inventory, limit="nothing-like-it")
