"""Row 50: the connection is cut at every byte offset of the conversation.

A command appends a line to a file. Wherever the connection is cut, on its way there or on its way
back, the file never has more than one line, and the outcome agrees with the file: never `ok`
without the line, never `unreachable` with it.

By default the cuts are at each packet's end, a byte to either side of it and in its middle, by FIN
and by RST in turn; with a retry, at the ends alone. With FLEETRUN_TEST_EVERY_OFFSET=1 in the
environment they are at every single byte, both ways and by both: 7,500 sessions a mode, and as many
with a retry.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import ServerAccount, start_sshd, wait_until
from trial import Trial

from fleetrun.executors import Mode
from fleetrun.faults import Direction, FaultProxy
from fleetrun.job import Job
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Result

EVERY_OFFSET = os.environ.get("FLEETRUN_TEST_EVERY_OFFSET") == "1"
BATCH = 100
"""Cuts in one run, each with a proxy of its own."""
FORKS = 8
SECONDS_A_SESSION = 1.5
WAYS = [Direction.TO_SERVER, Direction.TO_CLIENT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """After how many bytes that pass which way, and how, a connection is cut."""

    way: Direction
    after_bytes: int
    rst: bool

    @property
    def name(self) -> str:
        return f"cut-{self.after_bytes}-{'rst' if self.rst else 'fin'}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAccount]:
    """A real sshd of this row's own, so that it can be seen when its last session has ended."""
    with start_sshd(tmp_path_factory.mktemp("cut")) as account:
        yield account


@pytest.fixture(scope="module")
def pieces(
    server: ServerAccount, tmp_path_factory: pytest.TempPathFactory
) -> dict[Direction, list[int]]:
    """The sizes of what each side sends in a conversation that is not cut, in order."""
    passed: dict[Direction, list[int]] = {way: [] for way in WAYS}
    trial = Trial(Mode.SEQUENTIAL, tmp_path_factory.mktemp("whole"), Path(server.private_key))
    with FaultProxy(
        (server.address, server.port), on_passed=lambda way, data: passed[way].append(len(data))
    ) as proxy:
        job = _job(trial, server, proxy.port, "whole")
        assert trial.run_jobs([job], within_s=SECONDS_A_SESSION).ok
        wait_until(lambda: not _at_work(server, trial.folder))
    return passed


@pytest.mark.fault(
    50,
    "the connection is cut at every byte, to the server and to the client",
    "the command ran once at most; ok only if it did, unreachable only if it did not",
)
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("retries", [0, 1], ids=["one try", "a retry"])
def test_row_50_a_cut_connection_never_runs_a_command_twice(
    trial: Trial,
    server: ServerAccount,
    pieces: dict[Direction, list[int]],
    way: Direction,
    retries: int,
) -> None:
    outcomes: set[Outcome] = set()
    todo = iter(cuts(way, pieces[way], only_ends=retries > 0))
    while batch := list(itertools.islice(todo, BATCH)):
        outcomes |= _cut_all(trial, server, batch, retries=retries)
    assert outcomes == {Outcome.UNREACHABLE, Outcome.LOST, Outcome.OK}


def cuts(way: Direction, pieces: Sequence[int], *, only_ends: bool) -> Iterator[Cut]:
    """Yield where to cut a conversation of such pieces, up to a byte behind its end."""
    ends = [0, *itertools.accumulate(pieces)]
    if EVERY_OFFSET:
        for after_bytes, rst in itertools.product(range(ends[-1] + 2), (False, True)):
            yield Cut(way=way, after_bytes=after_bytes, rst=rst)
        return
    middles = {(one + next_one) // 2 for one, next_one in itertools.pairwise(ends)}
    around = {end + off for end in ends for off in (-1, 0, 1)} - {-1}
    places = sorted(ends if only_ends else around | middles)
    for after_bytes, rst in zip(places, itertools.cycle((False, True)), strict=False):
        yield Cut(way=way, after_bytes=after_bytes, rst=rst)


def _cut_all(
    trial: Trial, server: ServerAccount, batch: Sequence[Cut], *, retries: int
) -> set[Outcome]:
    """Make all these cuts, look at what ran, and return the outcomes that there were."""
    with contextlib.ExitStack() as stack:
        jobs = []
        for cut in batch:
            proxy = stack.enter_context(
                FaultProxy(
                    (server.address, server.port),
                    direction=cut.way,
                    cut_after_bytes=cut.after_bytes,
                    rst=cut.rst,
                )
            )
            jobs.append(_job(trial, server, proxy.port, cut.name, retries=retries))
        report = trial.run_jobs(jobs, within_s=len(jobs) * SECONDS_A_SESSION, forks=FORKS)
    wait_until(lambda: not _at_work(server, trial.folder))
    for result in report:
        _check(result, _lines(trial, result.host))
    return {result.outcome for result in report}


def _check(result: Result, lines: int) -> None:
    assert lines <= 1, result
    match result.outcome:
        case Outcome.OK:
            assert lines == 1, result
        case Outcome.UNREACHABLE:
            assert lines == 0, result
            assert not result.may_still_run
        case Outcome.LOST:
            assert result.may_still_run
        case _:
            pytest.fail(f"a cut is no reason for this: {result}")


def _job(trial: Trial, server: ServerAccount, port: int, name: str, *, retries: int = 0) -> Job:
    """Return a job that appends a line to a file of its own."""
    vouches = Path(server.known_hosts).read_text().replace(f":{server.port} ", f":{port} ")
    trial.vouch(vouches)
    host = server.host(name, port=port, known_hosts=(str(trial.known_hosts),))
    operation = Exec(command=f"echo ran >> {trial.folder / name}")
    return Job(host=host, operation=operation, retries=retries)


def _lines(trial: Trial, name: str) -> int:
    file = trial.folder / name
    return file.read_text().count("ran\n") if file.exists() else 0


def _at_work(server: ServerAccount, folder: Path) -> list[str]:
    """Return the processes that serve a session of the server, or write to the folder."""
    assert server.log is not None
    config = str(server.log.with_name("sshd_config"))
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    listeners = {line.split()[0] for line in listed if config in line}
    return [line for line in listed if line.split()[1] in listeners or str(folder) in line]
