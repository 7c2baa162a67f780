"""Worker processes: how they start, die, and are replaced, and what that means for hosts.

The rules are the same over a Dask cluster, as long as it is a worker process that dies. Less is
known when a Dask worker does, or cannot be heard any more: see tests/integration/test_dask_mode.py.
"""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest
from executor_runs import (
    eventually,
    is_alive,
    jobs_on,
    peak_overlap,
    pid_at,
    results_in,
    running,
    runs,
    whole_run,
    worker_modes,
    workers_of,
)

from fleetrun.errors import FleetrunError
from fleetrun.events import Started
from fleetrun.executors import Carrier, Mode, drive, execute, process
from fleetrun.executors.end import WorkerEnd
from fleetrun.hosts import Host
from fleetrun.operations import Exec, Get, Operation
from fleetrun.results import Outcome, Phase
from fleetrun.session import Cancel, Connect, OnPhase, Session
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous


@worker_modes
def test_the_host_of_a_killed_worker_is_lost_and_all_others_run_once(
    mode: Mode, tmp_path: Path
) -> None:
    log, meeting = tmp_path / "log", tmp_path / "meeting"
    meeting.mkdir()
    waiting = FakeHost(log=log, rendezvous=Rendezvous(folder=meeting, count=2))
    connect = FakeConnect({"h5": waiting}, others=FakeHost(log=log, stdout=b"up"))
    with running(workers_of(mode, workers=4), connect, hosts=64) as run:
        seen = run.until(lambda event: isinstance(event, Started) and event.host == "h5")
        os.kill(pid_at(meeting, "h5"), signal.SIGKILL)
        seen += run.events
    results = results_in(seen)
    lost = results.pop("h5")
    assert (lost.outcome, lost.phase, lost.may_still_run) == (Outcome.LOST, Phase.RUN, True)
    assert "worker process" in str(lost.error)
    assert "SIGKILL" in str(lost.error)
    assert len(results) == 63
    assert {result.outcome for result in results.values()} == {Outcome.OK}
    assert set(Counter(log.read_text().split()).values()) == {1}


@pytest.mark.long
@worker_modes
@pytest.mark.parametrize(
    ("phase", "operation", "outcome", "may_still_run"),
    [
        pytest.param(Phase.KEX, Exec(command="true"), Outcome.UNREACHABLE, False, id="login"),
        pytest.param(Phase.SESSION, Exec(command="true"), Outcome.UNREACHABLE, False, id="session"),
        pytest.param(Phase.EXEC, Exec(command="true"), Outcome.LOST, True, id="handing-over"),
        pytest.param(Phase.RUN, Exec(command="true"), Outcome.LOST, True, id="running"),
        pytest.param(
            Phase.TRANSFER, Get(sources=("f",), target=Path("got")), Outcome.LOST, False, id="files"
        ),
    ],
)
def test_what_became_of_the_host_follows_from_its_phase_when_its_worker_died(
    mode: Mode,
    phase: Phase,
    operation: Operation,
    outcome: Outcome,
    may_still_run: bool,  # noqa: FBT001 (a parameter of the test)
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    connect = FakeConnect(
        {"h1": FakeHost(kills_worker_in=phase)}, others=FakeHost(files={"f": b""})
    )
    plan = workers_of(mode, workers=1)
    # However soon after it the worker dies; over a cluster once, which takes longer.
    for _ in range(1 if mode is Mode.DASK else 5):
        events = whole_run(plan, connect, hosts=3, operation=operation)
        result = results_in(events)["h1"]
        assert (result.outcome, result.may_still_run) == (outcome, may_still_run)
        assert outcome is not Outcome.LOST or result.phase is phase


class Poison:
    """A variable of a host that kills the first worker which unpickles it, before it begins."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return _die_once, (self.flag,)


def _die_once(flag: Path) -> None:
    if not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@worker_modes
def test_hosts_that_a_dead_worker_had_not_begun_run_elsewhere(mode: Mode, tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = jobs_on(["a", "b", "c", "d"])
    poisoned = Host(name="b", vars={"v": Poison(tmp_path / "flag")})
    jobs[1] = dataclasses.replace(jobs[1], host=poisoned)
    cancel = Cancel()
    plan = workers_of(mode, workers=1, width=3)
    results = results_in(execute(plan, jobs, FakeConnect(others=FakeHost(log=log)), cancel))
    cancel.close()
    assert (tmp_path / "flag").exists()
    assert [result.outcome for result in results.values()] == [Outcome.OK] * 4
    assert sorted(log.read_text().split()) == ["a", "b", "c", "d"]


@pytest.mark.long
@pytest.mark.parametrize(("mode", "hosts"), [(Mode.PROCESSES, 60), (Mode.DASK, 12)])
def test_each_host_that_kills_its_worker_is_lost_once_while_others_finish(
    mode: Mode, hosts: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    killers = {f"h{number}": FakeHost(kills_worker_in=Phase.RUN) for number in range(0, hosts, 3)}
    connect = FakeConnect(killers, others=FakeHost(log=log))
    results = results_in(whole_run(workers_of(mode, workers=2), connect, hosts=hosts))
    lost = {host for host, result in results.items() if result.outcome is Outcome.LOST}
    assert lost == killers.keys()
    assert Counter(log.read_text().split()) == Counter(results.keys() - lost)


@worker_modes
def test_hosts_are_not_run_once_workers_do_nothing_but_die(mode: Mode) -> None:
    connect = FakeConnect(others=FakeHost(kills_worker_in=Phase.RUN))
    results = results_in(whole_run(workers_of(mode, workers=2), connect, hosts=64))
    outcomes = Counter(result.outcome for result in results.values())
    assert outcomes.keys() == {Outcome.LOST, Outcome.NOT_RUN}
    assert outcomes[Outcome.LOST] <= 2 + 3 + 1
    reasons = {result.error for result in results.values() if result.outcome is Outcome.NOT_RUN}
    assert reasons == {"no worker process could be kept alive; the last one: killed by SIGKILL"}


@worker_modes
def test_the_run_goes_on_with_the_workers_that_could_be_started(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_processes(monkeypatch, after=1)
    results = results_in(whole_run(workers_of(mode, workers=8), FakeConnect(), hosts=32))
    assert [result.outcome for result in results.values()] == [Outcome.OK] * 32


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        pytest.param(Mode.PROCESSES, "no more processes", id="processes"),
        pytest.param(Mode.DASK, r"inproc://\S+: OSError: no more processes", id="dask"),
    ],
)
def test_hosts_are_not_run_when_no_worker_could_be_started(
    mode: Mode, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_processes(monkeypatch, after=0)
    results = results_in(whole_run(workers_of(mode, workers=8), FakeConnect(), hosts=32))
    assert len(results) == 32
    assert {result.outcome for result in results.values()} == {Outcome.NOT_RUN}
    reason = f"no worker process could be kept alive; the last one: {why}"
    assert all(re.fullmatch(reason, str(result.error)) for result in results.values())


def refuse_processes(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    started, start = [0], process._start

    def start_or_refuse(descriptor: int, carrier: Carrier) -> subprocess.Popen[bytes]:
        if started[0] == after:
            raise OSError("no more processes")
        started[0] += 1
        return start(descriptor, carrier)

    monkeypatch.setattr(process, "_start", start_or_refuse)


@worker_modes
def test_no_worker_outlives_a_killed_parent(mode: Mode, tmp_path: Path) -> None:
    waiting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=99, patience_s=3600))
    script = f"""
        from pathlib import PosixPath, WindowsPath
        from fleetrun import Fleet, Host
        from fleetrun.testing import *

        connect = FakeConnect(others={waiting!r})
        hosts = [Host(name=f"h{{number}}") for number in range(4)]
        Fleet(hosts, mode="{mode}", forks=4, connect=connect).exec("true")
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    workers = [pid_at(tmp_path, f"h{number}") for number in range(4)]
    assert all(map(is_alive, workers))
    parent.kill()
    parent.wait()
    eventually(lambda: not any(map(is_alive, workers)))


@worker_modes
def test_a_worker_takes_no_notice_of_ctrl_c(mode: Mode, tmp_path: Path) -> None:
    waiting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2))
    with running(mode, FakeConnect(others=waiting), hosts=1) as run:
        seen = run.until(runs())
        pid = pid_at(tmp_path, "h0")
        assert os.getpgid(pid) != os.getpgid(0)  # a terminal sends it to the foreground group
        os.kill(pid, signal.SIGINT)
        (tmp_path / "somebody").touch()
        seen += run.events
    assert results_in(seen)["h0"].ok


class Local:
    """A `Connect` whose pickle says something that no worker can find."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return _made_by_nobody, (self.name,)


def _made_by_nobody(name: str) -> None:
    raise LookupError(f"no connect named {name}")


@worker_modes
@pytest.mark.parametrize(
    ("connect", "sentence"),
    [
        pytest.param(lambda *_: None, "cannot be sent to a worker process", id="pickling"),
        pytest.param(Local("x"), "LookupError: no connect named x", id="unpickling"),
    ],
)
def test_a_connect_that_cannot_reach_the_workers_is_an_error_of_the_caller(
    mode: Mode, connect: Connect, sentence: str
) -> None:
    with pytest.raises(FleetrunError, match=sentence):
        whole_run(mode, connect)


@worker_modes
@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        pytest.param(lambda: None, "cannot be sent to a worker process", id="pickling"),
        pytest.param(Local("x"), "LookupError: no connect named x", id="unpickling"),
    ],
)
def test_a_job_that_cannot_reach_the_workers_is_an_error_of_the_caller(
    mode: Mode, variable: object, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "ENDING_BOUND_S", 3600.0)  # nothing runs, so nothing is waited for
    jobs = jobs_on(["a", "b", "c"])
    jobs[1] = dataclasses.replace(jobs[1], host=Host(name="b", vars={"v": variable}))
    cancel = Cancel()
    plan = workers_of(mode, workers=1, width=2)
    with pytest.raises(FleetrunError, match=sentence):
        list(execute(plan, jobs, FakeConnect(), cancel))
    cancel.close()


@worker_modes
def test_a_script_needs_no_main_guard_and_may_run_anywhere(mode: Mode, tmp_path: Path) -> None:
    (tmp_path / "selectors.py").write_text("raise SystemExit('imported from the current folder')")
    script = tmp_path / "scripts" / "ops.py"
    script.parent.mkdir()
    script.write_text(
        "from fleetrun import Fleet, Host\n"
        "from fleetrun.testing import FakeConnect\n"
        "hosts = [Host(name='a'), Host(name='b')]\n"
        f"fleet = Fleet(hosts, mode='{mode}', connect=FakeConnect())\n"
        "print(fleet.exec('true').ok)\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("True\n", "")


class ShortOfThreads:
    """Where it is unpickled, a `Connect` to fake hosts in a process that can start few threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return _run_short_of_threads, (self.threads,)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        raise AssertionError(f"called here: {host}, {on_phase}, {cancel}")


def _run_short_of_threads(threads: int) -> FakeConnect:
    left, start = [threads], threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    setattr(threading.Thread, "start", start_or_refuse)  # noqa: B010 (mypy: not an assignment)
    return FakeConnect()


@pytest.mark.long
@worker_modes
@pytest.mark.parametrize(
    ("threads", "outcome", "error"),
    [
        pytest.param(2, Outcome.OK, None, id="two"),
        pytest.param(
            0,
            Outcome.NOT_RUN,
            "no worker process could be kept alive; the last one: it could not start a thread",
            id="none",
        ),
    ],
)
def test_a_worker_makes_do_with_the_threads_that_it_can_start(
    mode: Mode, threads: int, outcome: Outcome, error: str | None
) -> None:
    cancel = Cancel()
    jobs = jobs_on([f"h{number}" for number in range(32)])
    plan = workers_of(mode, workers=2, width=8)
    results = results_in(execute(plan, jobs, ShortOfThreads(threads), cancel))
    cancel.close()
    assert len(results) == 32
    assert {(result.outcome, result.error) for result in results.values()} == {(outcome, error)}
    assert outcome is not Outcome.OK or peak_overlap(results.values()) <= 2 * threads


@worker_modes
def test_a_wide_worker_works_on_many_hosts_at_once(mode: Mode, tmp_path: Path) -> None:
    meeting = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=12))
    cancel = Cancel()
    jobs = jobs_on([f"h{number}" for number in range(12)])
    plan = workers_of(mode, workers=2, width=6)
    results = results_in(execute(plan, jobs, FakeConnect(others=meeting), cancel))
    cancel.close()
    assert [result.outcome for result in results.values()] == [Outcome.OK] * 12
    assert len({(tmp_path / host).read_text() for host in results}) == 2


def test_words_to_a_worker_that_has_died_are_no_error_and_its_death_is_heard() -> None:
    child = process.WorkerProcess(Carrier.THREADS)
    worker = WorkerEnd(child, b"")
    os.kill(child._process.pid, signal.SIGSTOP)
    worker.tell("never read, so that reading here fails and does not merely end")
    worker.kill()
    eventually(lambda: worker.receive() is None)
    worker.tell("to nobody")
    assert not worker.has_unsent
    worker.hang_up()
    assert worker.wait() == "killed by SIGKILL"


def test_what_the_socket_does_not_take_at_once_is_sent_later() -> None:
    child = process.WorkerProcess(Carrier.THREADS)
    worker = WorkerEnd(child, b"")
    os.kill(child._process.pid, signal.SIGSTOP)
    worker.tell(b"x" * 10_000_000)
    assert worker.has_unsent
    worker.kill()
    worker.hang_up()
    worker.wait()
