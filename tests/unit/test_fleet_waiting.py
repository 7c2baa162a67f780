"""Futures and asyncio: other ways to wait for a fleet, over every mode."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, as_completed, wait
from contextlib import aclosing
from pathlib import Path

import pytest

from fleetrun import Fleet, Host, Outcome, Phase, Result, Waves
from fleetrun.errors import FleetrunError, UsageError
from fleetrun.executors import Mode
from fleetrun.executors.futures import Lane
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)
PATIENCE_S = 30.0


def hosts(count: int) -> list[Host]:
    return [Host(name=f"h{number}") for number in range(count)]


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.01)


def endless(tmp_path: Path) -> FakeConnect:
    """Return a fleet of hosts that write down that they run, and do not end."""
    (tmp_path / "log").touch()
    return FakeConnect(others=FakeHost(takes_s=3600, log=tmp_path / "log"))


def begun(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().split()


# --- futures -------------------------------------------------------------------------------------


@every_mode
def test_every_host_has_a_future_of_its_result(mode: Mode) -> None:
    connect = FakeConnect(
        {"h1": FakeHost(fails_in=Phase.CONNECT), "h2": FakeHost(exit_status=3)},
        others=FakeHost(stdout=b"up"),
    )
    with Fleet(hosts(8), mode=mode, forks=3, connect=connect) as fleet:
        futures = fleet.submit("uptime")
        assert list(futures) == [f"h{number}" for number in range(8)]
        done, waiting = wait(futures.values(), PATIENCE_S)
    assert (len(done), waiting) == (8, set())
    results = {host: future.result() for host, future in futures.items()}
    assert all(host == result.host for host, result in results.items())
    assert results["h0"].text == "up"
    assert results["h1"].outcome is Outcome.UNREACHABLE
    assert results["h2"].exit_status == 3


@every_mode
def test_a_future_is_done_while_other_hosts_run(mode: Mode, tmp_path: Path) -> None:
    waiting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))
    with Fleet(hosts(6), mode=mode, forks=3, connect=FakeConnect({"h5": waiting})) as fleet:
        futures = fleet.submit("true")
        each = as_completed(futures.values(), PATIENCE_S)
        first = [next(each).result().host for _ in range(5)]
        assert sorted(first) == [f"h{number}" for number in range(5)]
        assert not futures["h5"].done()
        (tmp_path / "somebody").touch()
        assert next(each).result().ok


@every_mode
def test_callbacks_are_made_as_hosts_end_by_one_thread(mode: Mode) -> None:
    called: list[tuple[str, int]] = []

    def call(future: Future[Result]) -> None:
        called.append((future.result().host, threading.get_ident()))

    with Fleet(hosts(6), mode=mode, connect=FakeConnect(others=FakeHost(takes_s=0.05))) as fleet:
        futures = fleet.submit("true")
        for future in futures.values():
            future.add_done_callback(call)
        wait(futures.values(), PATIENCE_S)
        eventually(lambda: len(called) == 6)
    assert {host for host, _ in called} == set(futures)
    assert len({thread for _, thread in called} - {threading.get_ident()}) == 1


@every_mode
def test_a_future_that_is_cancelled_in_time_keeps_its_host_from_being_begun(
    mode: Mode, tmp_path: Path
) -> None:
    log, meeting = tmp_path / "log", tmp_path / "meeting"
    meeting.mkdir()
    holding = FakeHost(rendezvous=Rendezvous(folder=meeting, count=2))
    connect = FakeConnect({"h0": holding}, others=FakeHost(log=log))
    with Fleet(hosts(6), mode=mode, forks=1, connect=connect) as fleet:
        futures = fleet.submit("true")
        eventually((meeting / "h0").exists)
        assert not futures["h0"].cancel()  # it runs
        assert futures["h0"].running()
        assert futures["h2"].cancel()
        assert futures["h5"].cancel()
        (meeting / "somebody").touch()
        wait(futures.values(), PATIENCE_S)
        assert futures["h0"].result().ok
    for host in ("h2", "h5"):
        with pytest.raises(CancelledError):
            futures[host].result()
    assert sorted(log.read_text().split()) == ["h1", "h3", "h4"]


@every_mode
def test_closing_the_fleet_gives_every_future_its_result(mode: Mode, tmp_path: Path) -> None:
    with Fleet(hosts(6), mode=mode, forks=1, connect=endless(tmp_path)) as fleet:
        futures = fleet.submit("sleep")
        eventually(lambda: bool(begun(tmp_path)))
    outcomes = [future.result(PATIENCE_S).outcome for future in futures.values()]
    assert outcomes == [Outcome.LOST, *[Outcome.NOT_RUN] * 5]


@every_mode
def test_waves_and_limits_hold_for_futures_too(mode: Mode) -> None:
    connect = FakeConnect({"h1": FakeHost(exit_status=3)})
    with Fleet(hosts(6), mode=mode, connect=connect) as fleet:
        futures = fleet.submit("true", waves=Waves(canary=2, health="true"))
        outcomes = [future.result(PATIENCE_S).outcome for future in futures.values()]
    assert outcomes == [Outcome.OK, Outcome.FAILED, *[Outcome.NOT_RUN] * 4]


def test_what_ends_the_run_is_raised_by_each_future() -> None:
    with Fleet(hosts(3), mode="processes", connect=lambda *_: None) as fleet:  # type: ignore[arg-type,return-value]
        futures = fleet.submit("true")
        for future in futures.values():
            assert isinstance(future.exception(PATIENCE_S), FleetrunError)


def test_a_mistake_is_said_at_once_and_leaves_no_thread() -> None:
    fleet = Fleet(hosts(1), connect=FakeConnect())
    with pytest.raises(UsageError, match="the command is empty"):
        fleet.submit(" ")
    fleet.close()
    with pytest.raises(UsageError, match="this fleet is closed"):
        fleet.submit("true")


def test_without_a_thread_there_are_no_futures(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(f"can't start new thread {thread.name}")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with (
        Fleet(hosts(1), connect=FakeConnect()) as fleet,
        pytest.raises(FleetrunError, match="thread"),
    ):
        fleet.submit("true")


def test_a_lane_makes_its_calls_in_order_and_none_whose_future_was_cancelled() -> None:
    made: list[int] = []
    go = threading.Event()
    lane = Lane()
    first = lane.call(lambda: go.wait(PATIENCE_S))
    calls = [lane.call(lambda number=number: made.append(number)) for number in range(4)]  # type: ignore[misc]
    failing = lane.call(lambda: 1 // 0)
    assert calls[2].cancel()
    go.set()
    lane.close()
    assert isinstance(failing.exception(PATIENCE_S), ZeroDivisionError)
    assert (first.result(), made) == (True, [0, 1, 3])


def test_a_program_that_ends_does_not_wait_for_its_futures(tmp_path: Path) -> None:
    script = f"""
        from pathlib import PosixPath, WindowsPath
        from fleetrun import Fleet, Host
        from fleetrun.testing import *
        fleet = Fleet([Host(name="a")], mode="threads", connect={endless(tmp_path)!r})
        fleet.submit("sleep")
        print("over")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.stdout, done.stderr) == ("over\n", "")


# --- asyncio -------------------------------------------------------------------------------------


@every_mode
def test_a_report_can_be_awaited(mode: Mode) -> None:
    connect = FakeConnect({"h1": FakeHost(exit_status=3)}, others=FakeHost(stdout=b"up"))
    with Fleet(hosts(5), mode=mode, connect=connect) as fleet:
        report = asyncio.run(fleet.aexec("uptime"))
    assert [result.host for result in report] == [f"h{number}" for number in range(5)]
    assert report["h0"].text == "up"
    assert [result.host for result in report.failed] == ["h1"]


@every_mode
def test_results_can_be_awaited_as_hosts_end(mode: Mode, tmp_path: Path) -> None:
    waiting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))

    async def follow(fleet: Fleet) -> list[str]:
        had = []
        async for result in fleet.astream("true"):
            had.append(result.host)
            if len(had) == 3:
                (tmp_path / "somebody").touch()
        return had

    with Fleet(hosts(4), mode=mode, forks=3, connect=FakeConnect({"h3": waiting})) as fleet:
        assert asyncio.run(follow(fleet))[-1] == "h3"


@every_mode
def test_the_event_loop_is_never_blocked(mode: Mode, tmp_path: Path) -> None:
    """The hosts go on only when the loop does something else while it waits for them."""
    waiting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))

    async def something_else() -> None:
        await asyncio.to_thread(eventually, (tmp_path / "h0").exists)
        (tmp_path / "somebody").touch()

    async def both(fleet: Fleet) -> bool:
        report, _ = await asyncio.gather(fleet.aexec("true"), something_else())
        return report.ok

    with Fleet(hosts(1), mode=mode, connect=FakeConnect({"h0": waiting})) as fleet:
        assert asyncio.run(both(fleet))


@every_mode
def test_several_runs_can_be_awaited_at_once(mode: Mode, tmp_path: Path) -> None:
    async def both(*fleets: Fleet) -> list[bool]:
        return [report.ok for report in await asyncio.gather(*(f.aexec("true") for f in fleets))]

    fakes = FakeConnect(others=FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2)))
    first, second = (Fleet([Host(name=name)], mode=mode, connect=fakes) for name in ("a", "b"))
    assert asyncio.run(both(first, second)) == [True, True]


@every_mode
def test_cancelling_the_task_cancels_the_run(mode: Mode, tmp_path: Path) -> None:
    async def cancel_it(fleet: Fleet) -> None:
        task = asyncio.create_task(fleet.aexec("sleep"))
        await asyncio.to_thread(eventually, lambda: bool(begun(tmp_path)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not fleet._calls.running  # it has ended, and not merely been left

    with Fleet(hosts(6), mode=mode, forks=1, connect=endless(tmp_path)) as fleet:
        asyncio.run(cancel_it(fleet))
    assert begun(tmp_path) == ["h0"]


@every_mode
def test_closing_the_stream_ends_the_run_and_begins_no_other(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def leave(fleet: Fleet) -> None:
        async with aclosing(fleet.astream("true")) as results:
            async for result in results:
                assert result.ok
                break
        assert not fleet._calls.running

    with Fleet(
        hosts(32), mode=mode, forks=2, connect=FakeConnect(others=FakeHost(log=log))
    ) as fleet:
        asyncio.run(leave(fleet))
        assert len(log.read_text().split()) <= 1 + fleet.plan.at_once


@every_mode
def test_a_stream_that_is_left_open_is_ended_with_its_loop(mode: Mode, tmp_path: Path) -> None:
    async def leave(fleet: Fleet) -> None:
        async for _ in fleet.astream("sleep"):
            raise AssertionError("no host ends by itself")

    async def time_out(fleet: Fleet) -> None:
        task = asyncio.create_task(leave(fleet))
        await asyncio.to_thread(eventually, lambda: bool(begun(tmp_path)))
        assert not task.done()

    with Fleet(hosts(2), mode=mode, forks=1, connect=endless(tmp_path)) as fleet:
        asyncio.run(time_out(fleet))  # which cancels the tasks that are left
        assert not fleet._calls.running


@every_mode
def test_ctrl_c_ends_what_is_awaited(mode: Mode, tmp_path: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        eventually(lambda: bool(begun(tmp_path)))
        signal.pthread_kill(main, signal.SIGINT)

    presser = threading.Thread(target=press)
    with Fleet(hosts(4), mode=mode, forks=1, connect=endless(tmp_path)) as fleet:
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(fleet.aexec("sleep"))
        assert not fleet._calls.running
    presser.join()
    assert begun(tmp_path) == ["h0"]


def test_a_mistake_is_raised_where_it_is_awaited() -> None:
    fleet = Fleet(hosts(1), connect=FakeConnect())
    with pytest.raises(UsageError, match="the command is empty"):
        asyncio.run(fleet.aexec(" "))
    fleet.close()
    with pytest.raises(UsageError, match="this fleet is closed"):
        asyncio.run(fleet.aexec("true"))


def test_a_stream_that_is_never_asked_begins_nothing_and_has_no_thread(tmp_path: Path) -> None:
    log = tmp_path / "log"
    threads = set(threading.enumerate())

    async def ask_nothing(fleet: Fleet) -> None:
        await fleet.astream("true").aclose()

    with Fleet(hosts(1), connect=FakeConnect(others=FakeHost(log=log))) as fleet:
        asyncio.run(ask_nothing(fleet))
    assert set(threading.enumerate()) == threads
    assert not log.exists()
