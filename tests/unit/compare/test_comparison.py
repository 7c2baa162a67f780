from __future__ import annotations

import threading
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from fleetrun.compare import Comparison
from fleetrun.errors import UsageError
from fleetrun.executors import Mode
from fleetrun.hosts import Host
from fleetrun.operations import Exec
from fleetrun.results import Phase
from fleetrun.session import Cancel, Connect, OnPhase, Session
from fleetrun.testing import FakeConnect, FakeHost

pytestmark = pytest.mark.long

HOSTS = tuple(Host(name=f"h{number}", user="deploy") for number in range(4))
EVERY_MODE = tuple(Mode)


def comparison(
    connect: Connect,
    *modes: Mode,
    forks: tuple[int, ...] = (4,),
    rounds: int = 1,
    peaks: bool = False,
    hosts: tuple[Host, ...] = HOSTS,
) -> Comparison:
    return Comparison(
        hosts,
        Exec(command="true"),
        modes=modes,
        forks=forks,
        rounds=rounds,
        peaks=peaks,
        connect=connect,
    )


def unheard(_sentence: str) -> None:
    """Take what a test does not ask about."""


def test_each_host_does_the_work_once_a_mode_and_the_first_once_more(tmp_path: Path) -> None:
    log = tmp_path / "log"

    runs = list(comparison(FakeConnect(others=FakeHost(log=log)), *EVERY_MODE).runs(unheard))

    times = len(EVERY_MODE)
    assert Counter(log.read_text().split()) == {"h0": times + 1} | dict.fromkeys(
        ["h1", "h2", "h3"], times
    )
    assert [run.ok for run in runs] == [len(HOSTS)] * times


def test_the_warm_up_comes_first_and_is_not_among_the_runs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    begun_before: list[str] = []

    def look(sentence: str) -> None:
        if sentence.startswith("threads"):
            begun_before.extend(log.read_text().split())

    runs = list(comparison(FakeConnect(others=FakeHost(log=log)), Mode.THREADS).runs(look))

    assert begun_before == ["h0"]
    assert [run.mode for run in runs] == ["threads"]


@pytest.mark.parametrize(
    "modes",
    [(Mode.SEQUENTIAL, Mode.THREADS), (Mode.THREADS, Mode.SEQUENTIAL)],
    ids=["sequential first", "sequential last"],
)
def test_modes_are_reported_in_the_order_given(modes: tuple[Mode, ...]) -> None:
    assert [run.mode for run in comparison(FakeConnect(), *modes).runs(unheard)] == [*modes]


def test_forks_are_those_of_each_mode_and_never_more_than_hosts() -> None:
    def widths(forks: int) -> list[tuple[int, int]]:
        modes = (Mode.SEQUENTIAL, Mode.THREADS, Mode.PROCESSES)
        runs = comparison(FakeConnect(), *modes, forks=(forks,)).runs(unheard)
        return [(run.forks, run.workers) for run in runs]

    assert widths(2) == [(1, 0), (2, 0), (2, 2)]
    assert widths(9) == [(1, 0), (4, 0), (4, 4)]


def test_whoever_waits_is_told_what_comes_next() -> None:
    told: list[str] = []

    list(comparison(FakeConnect(), Mode.SEQUENTIAL, Mode.THREADS, forks=(2,)).runs(told.append))

    assert told == [
        "warm-up on h0, not measured",
        "sequential: 4 hosts, 1 at once",
        "threads: 4 hosts, 2 at once",
    ]


def test_a_warm_up_that_was_not_ok_is_told_and_the_modes_are_measured_all_the_same() -> None:
    told: list[str] = []
    connect = FakeConnect({"h0": FakeHost(fails_in=Phase.CONNECT)})

    (run,) = comparison(connect, Mode.THREADS).runs(told.append)

    assert told[1] == (
        "the warm-up was not ok, so the first mode may pay for it: "
        "h0: unreachable in connect: fake failure in connect"
    )
    assert (run.ok, run.not_ok, run.exit_code) == (3, 1, 4)


def test_cancelling_ends_the_run_at_hand_and_begins_no_other() -> None:
    compared = comparison(FakeConnect(others=FakeHost(takes_s=600)), *EVERY_MODE)
    told: list[str] = []

    def cancel(sentence: str) -> None:
        told.append(sentence)
        compared.cancel()

    assert compared.runs(cancel) == ()
    assert told == ["warm-up on h0, not measured"]


def test_a_run_that_was_cancelled_is_shown_and_is_the_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    compared = comparison(FakeConnect(others=FakeHost(log=log)), *EVERY_MODE)

    def cancel(sentence: str) -> None:
        if sentence.startswith("sequential"):
            compared.cancel()

    (run,) = compared.runs(cancel)

    assert (run.mode, run.ok, run.not_ok, run.comparable) == ("sequential", 0, len(HOSTS), False)
    assert log.read_text().split() == ["h0"]


def test_what_cannot_be_compared_is_refused_before_anything_is_contacted() -> None:
    with pytest.raises(UsageError, match="at least one host"):
        comparison(FakeConnect(), Mode.THREADS, hosts=())


def test_rounds_are_interleaved_and_each_begins_with_another_mode() -> None:
    told: list[str] = []
    modes = (Mode.SEQUENTIAL, Mode.THREADS)

    runs = comparison(FakeConnect(), *modes, rounds=3).runs(told.append)

    assert told == [
        "warm-up on h0, not measured",
        "round 1 of 3: sequential/1, threads/4",
        "sequential: 4 hosts, 1 at once",
        "threads: 4 hosts, 4 at once",
        "round 2 of 3: threads/4, sequential/1",
        "round 3 of 3: sequential/1, threads/4",
    ]
    assert [len(run.rounds) for run in runs] == [3, 3]


def test_the_order_that_is_told_is_that_in_which_hosts_are_worked_on() -> None:
    order: list[bool] = []

    def note_who(host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        order.append(len(hosts_at_once()) == 1)
        return FakeConnect()(host, on_phase, cancel)

    comparison(note_who, Mode.SEQUENTIAL, Mode.THREADS, rounds=2).runs(unheard)

    one, four = [True] * 4, [False] * 4
    assert order == [True, *one, *four, *four, *one]


def hosts_at_once() -> list[threading.Thread]:
    """Return the threads that take hosts now: as many as the mode is wide."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("fleetrun-")]


def test_each_mode_is_measured_at_each_width_and_at_none_twice() -> None:
    modes = (Mode.SEQUENTIAL, Mode.THREADS, Mode.PROCESSES)

    runs = comparison(FakeConnect(), *modes, forks=(1, 2, 64, 4)).runs(unheard)

    assert [(run.mode, run.forks) for run in runs] == [
        ("sequential", 1),
        *[("threads", width) for width in (1, 2, 4)],
        *[("processes", width) for width in (1, 2, 4)],
    ]


def test_a_look_at_the_peaks_is_a_round_of_its_own_that_is_not_measured(tmp_path: Path) -> None:
    pytest.importorskip("psutil", reason="psutil comes with the extra report")
    log, told = tmp_path / "log", list[str]()
    connect = FakeConnect(others=FakeHost(log=log))

    (run,) = comparison(connect, Mode.PROCESSES, forks=(2,), peaks=True).runs(told.append)

    assert told[1] == "a look at threads, processes and memory in each mode, not measured"
    assert Counter(log.read_text().split()) == {"h0": 3} | dict.fromkeys(["h1", "h2", "h3"], 2)
    assert run.peaks is not None
    assert run.peaks.processes == 3
    assert len(run.rounds) == 1


def test_without_a_look_there_are_no_peaks() -> None:
    (run,) = comparison(FakeConnect(), Mode.THREADS).runs(unheard)

    assert run.peaks is None


def test_a_round_that_was_cancelled_does_not_spoil_those_before_it() -> None:
    begun = count(1)

    def cancel_in_the_last(host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        if next(begun) == 1 + 2 * len(HOSTS) + 2:  # warm-up, two runs, and half of a third
            compared.cancel()
        return FakeConnect()(host, on_phase, cancel)

    compared = comparison(cancel_in_the_last, Mode.SEQUENTIAL, Mode.THREADS, forks=(2,), rounds=2)
    runs = compared.runs(unheard)

    assert [(run.mode, len(run.rounds), run.comparable) for run in runs] == [
        ("sequential", 1, True),
        ("threads", 1, True),
    ]


def test_several_operations_are_one_for_each_host() -> None:
    statuses = FakeHost(exit_statuses={"good": 0, "bad": 1})
    each = [Exec(command=command) for command in ("good", "bad", "good", "bad")]
    compared = Comparison(
        HOSTS, each, modes=(Mode.THREADS,), rounds=1, connect=FakeConnect(others=statuses)
    )

    (run,) = compared.runs(unheard)

    assert (run.ok, run.not_ok) == (2, 2)
