"""What every mode does alike, each rule in every mode."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from executor_runs import (
    Exits,
    by_host,
    eventually,
    every_mode,
    jobs_on,
    overlapping_modes,
    peak_overlap,
    results_in,
    running,
    runs,
    whole_run,
)

from fleetrun.events import Finished, Output, PhaseReached, Started
from fleetrun.executors import Mode, drive, execute, make_plan
from fleetrun.results import Outcome, Phase, Stream
from fleetrun.session import Cancel
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous


@every_mode
def test_each_of_256_jobs_has_exactly_one_result_and_its_own(mode: Mode) -> None:
    connect = FakeConnect(
        {
            "h3": FakeHost(exit_status=3),
            "h77": FakeHost(fails_in=Phase.CONNECT),
            "h200": FakeHost(fails_in=Phase.RUN),
            "h255": FakeHost(times_out_in=Phase.RUN),
        },
        others=FakeHost(stdout=b"up"),
    )
    results = results_in(whole_run(mode, connect, hosts=256, forks=8))
    assert results.keys() == {f"h{number}" for number in range(256)}
    odd = {host: result.outcome for host, result in results.items() if not result.ok}
    assert odd == {
        "h3": Outcome.FAILED,
        "h77": Outcome.UNREACHABLE,
        "h200": Outcome.LOST,
        "h255": Outcome.TIMEOUT,
    }


@every_mode
def test_no_more_hosts_are_worked_on_at_once_than_the_plan_says(mode: Mode) -> None:
    events = whole_run(mode, FakeConnect(others=FakeHost(takes_s=0.01)), hosts=24, forks=3)
    at_once = make_plan(mode, forks=3, hosts=24).at_once
    assert 1 <= peak_overlap(results_in(events).values()) <= at_once


def test_sequential_works_on_one_host_after_another_in_their_order() -> None:
    events = whole_run(Mode.SEQUENTIAL, FakeConnect(others=FakeHost(takes_s=0.01)), hosts=8)
    assert peak_overlap(results_in(events).values()) == 1
    assert list(results_in(events)) == [f"h{number}" for number in range(8)]


@overlapping_modes
def test_as_many_hosts_as_forks_are_worked_on_at_once(mode: Mode, tmp_path: Path) -> None:
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=8))
    results = results_in(whole_run(mode, FakeConnect(others=meeting), hosts=8, forks=8))
    assert [result.outcome for result in results.values()] == [Outcome.OK] * 8


@overlapping_modes
def test_a_slow_host_holds_up_no_other(mode: Mode, tmp_path: Path) -> None:
    slow = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))
    with running(mode, FakeConnect({"h0": slow}), hosts=40, forks=2) as run:
        others = [run.until(lambda event: isinstance(event, Finished))[-1].host for _ in range(39)]
        assert "h0" not in others
        (tmp_path / "somebody").touch()
        assert results_in(run.events)["h0"].ok


@every_mode
def test_the_events_of_a_host_come_in_the_order_in_which_they_happened(mode: Mode) -> None:
    speaking = FakeHost(stdout=b"out", stdout_times=3, stderr=b"err")
    for events in by_host(whole_run(mode, FakeConnect(others=speaking), hosts=16)).values():
        kinds = [type(event) for event in events]
        assert kinds == [Started, *[PhaseReached] * 9, *[Output] * 4, Finished]
        assert [event.phase for event in events if isinstance(event, PhaseReached)] == [
            phase for phase in Phase if phase is not Phase.TRANSFER
        ]
        assert [event.data for event in events if isinstance(event, Output)] == [
            *[b"out"] * 3,
            b"err",
        ]
        times = [event.at_s for event in events if isinstance(event, Started | PhaseReached)]
        assert times == sorted(times)


@every_mode
@pytest.mark.parametrize(
    ("connect", "bug"),
    [
        pytest.param(
            FakeConnect({"h2": FakeHost(raises="oops")}), "RuntimeError: oops", id="exception"
        ),
        pytest.param(Exits(), "SystemExit: exit on h2", id="exit"),
    ],
)
def test_a_bug_in_a_job_becomes_its_result_and_a_traceback_in_the_log(
    mode: Mode, connect: FakeConnect | Exits, bug: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="fleetrun"):
        results = results_in(whole_run(mode, connect))
    assert len(results) == 8
    assert str(results["h2"].error).endswith(bug)
    assert "bug while working on h2" in caplog.text
    assert "Traceback" in caplog.text
    assert bug in caplog.text


@every_mode
def test_a_slow_caller_holds_up_a_chatty_host_and_loses_nothing(mode: Mode, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    piece = bytes(range(256)) * 64
    chatty = FakeHost(stdout=piece, stdout_times=2000, tally=tally)
    # Pieces of 16 KiB: what the feed can hold, or the outbox and the socket, or two sockets and an
    # outpost between them.
    at_most = 512 if mode is Mode.DASK else 256
    consumed = 0
    with running(mode, FakeConnect(others=chatty), hosts=1) as run:
        for event in run.events:
            if not isinstance(event, Output):
                continue
            assert (event.stream, event.data) == (Stream.STDOUT, piece)
            consumed += 1
            if consumed in {1, 500, 1500}:
                eventually(lambda: stands_still(tally))
                assert tally.stat().st_size > consumed  # it ran ahead, and was stopped
            assert tally.stat().st_size - consumed <= at_most
    assert consumed == 2000


def stands_still(file: Path) -> bool:
    before = file.stat().st_size
    time.sleep(0.1)
    return file.stat().st_size == before


@every_mode
def test_cancelling_ends_what_runs_and_every_host_still_has_a_result(
    mode: Mode, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    endless = FakeHost(takes_s=3600, log=log)
    with running(mode, FakeConnect({"h0": endless}), hosts=256, forks=4) as run:
        seen = run.until(runs("h0"))
        eventually(lambda: log.read_text() == "h0\n")
        run.cancel.press()
        seen += run.events
    results = results_in(seen)
    assert len(results) == 256
    assert (results["h0"].outcome, results["h0"].phase) == (Outcome.LOST, Phase.RUN)
    assert results["h0"].error == "cancelled while it ran"  # its session was told, and ended it
    outcomes = Counter(result.outcome for result in results.values())
    assert outcomes.keys() <= {Outcome.OK, Outcome.NOT_RUN, Outcome.LOST}
    assert outcomes[Outcome.LOST] <= 4


@every_mode
def test_a_host_that_is_not_begun_when_the_run_is_cancelled_is_never_begun(
    mode: Mode, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    endless = FakeHost(takes_s=3600, log=log)
    with running(mode, FakeConnect(others=endless), hosts=64, forks=2) as run:
        seen = run.until(lambda event: isinstance(event, Started))
        run.cancel.press()
        seen += run.events
    begun = {event.host for event in seen if isinstance(event, Started)}
    assert len(begun) <= 2
    for host, events in by_host(seen).items():
        if host not in begun:
            (only,) = events
            assert isinstance(only, Finished)
            assert only.result.outcome is Outcome.NOT_RUN
            assert only.result.started_at_s is None
    assert len(results_in(seen)) == 64
    assert not log.exists() or set(log.read_text().split()) <= begun


@every_mode
def test_a_run_that_is_cancelled_beforehand_begins_nothing(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(mode, FakeConnect(others=FakeHost(log=log))) as run:
        run.cancel.press()
        events = list(run.events)
    assert [type(event) for event in events] == [Finished] * 8
    assert {result.outcome for result in results_in(events).values()} == {Outcome.NOT_RUN}
    assert not log.exists()


@every_mode
def test_closing_the_stream_cancels_what_has_not_begun_and_ends_what_has(
    mode: Mode, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.touch()
    endless = FakeHost(takes_s=3600, log=log)
    with running(mode, FakeConnect(others=endless), hosts=64, forks=2) as run:
        run.until(runs())
        eventually(lambda: bool(log.read_text()))
        run.events.close()  # threads and processes are gone after it: conftest.py looks
        assert run.cancel.pressed
        assert list(run.events) == []
    assert len(log.read_text().split()) <= 2


@every_mode
def test_closing_the_stream_frees_hosts_that_wait_to_be_heard(mode: Mode, tmp_path: Path) -> None:
    chatty = FakeHost(stdout=b"x" * 16384, stdout_times=10**9, tally=tmp_path / "tally")
    with running(mode, FakeConnect(others=chatty), hosts=8, forks=4) as run:
        run.until(lambda event: isinstance(event, Output))
        eventually(lambda: stands_still(tmp_path / "tally"))
        run.events.close()


@every_mode
def test_an_exception_in_the_caller_ends_the_run(mode: Mode, tmp_path: Path) -> None:
    endless = FakeHost(takes_s=3600, log=tmp_path / "log")
    cancel = Cancel()
    plan = make_plan(mode, forks=2, hosts=8)
    events = execute(plan, jobs_on(["a", "b", "c"]), FakeConnect(others=endless), cancel)
    next(events)
    with pytest.raises(ZeroDivisionError):
        events.throw(ZeroDivisionError())
    cancel.close()


@every_mode
@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(FakeHost(takes_s=1.5, deaf=True), id="silent"),
        pytest.param(FakeHost(stdout=b"x", stdout_times=150_000, deaf=True), id="chatty"),
    ],
)
def test_a_host_that_ignores_the_cancel_is_given_up_within_the_bound(
    mode: Mode, fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "ENDING_BOUND_S", 0.2)
    with running(mode, FakeConnect({"h0": fake}), hosts=3, forks=2) as run:
        seen = run.until(runs("h0"))
        run.cancel.press()
        seen += run.events
    result = results_in(seen)["h0"]
    assert (result.outcome, result.phase) == (Outcome.LOST, Phase.RUN)
    assert result.may_still_run
    assert "did not end when the run was cancelled" in str(result.error)
    assert len(results_in(seen)) == 3


@every_mode
def test_no_host_is_begun_while_the_caller_looks_at_the_first_result(
    mode: Mode, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with running(mode, FakeConnect(others=FakeHost(log=log)), hosts=64, forks=2) as run:
        run.until(lambda event: isinstance(event, Finished))
        eventually(lambda: stands_still(log))
        run.events.close()
    assert len(log.read_text().split()) <= make_plan(mode, forks=2, hosts=64).at_once


@every_mode
def test_the_time_that_the_caller_takes_does_not_count_against_a_host_that_is_ending(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "ENDING_BOUND_S", 1.0)
    chatty = FakeHost(stdout=b"x" * 16384, stdout_times=10**9)  # ends when it is heard out
    with running(mode, FakeConnect(others=chatty), hosts=2, forks=1) as run:
        run.until(lambda event: isinstance(event, Output))
        run.cancel.press()
        run.until(lambda event: event.host == "h1")
        time.sleep(1.1)
        assert results_in(run.events)["h0"].error == "cancelled while it ran"


@every_mode
def test_no_thread_is_left_when_the_last_event_is_out(mode: Mode) -> None:
    threads = set(threading.enumerate())
    whole_run(mode, FakeConnect(), hosts=64, forks=32)
    left = set(threading.enumerate()) - threads
    assert not [thread for thread in left if not thread.name.startswith("Dask-Offload")]


@every_mode
def test_a_stream_that_is_never_asked_begins_nothing(mode: Mode, tmp_path: Path) -> None:
    with running(mode, FakeConnect(others=FakeHost(log=tmp_path / "log"))) as run:
        run.events.close()
    assert not (tmp_path / "log").exists()


@every_mode
def test_two_jobs_on_hosts_of_one_name_are_refused(mode: Mode) -> None:
    cancel = Cancel()
    plan = make_plan(mode, forks=2, hosts=2)
    with pytest.raises(ValueError, match="one name"):
        list(execute(plan, jobs_on(["twin", "twin"]), FakeConnect(), cancel))
    cancel.close()
