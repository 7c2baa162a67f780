from __future__ import annotations

import pickle
import time
from pathlib import Path

import pytest

from fleetrun.compare import Kind, Workload, prepared
from fleetrun.compare.workloads import DEFAULTS, PassingPut, WorkedOn, compute
from fleetrun.events import Event
from fleetrun.executors import Mode
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.operations import Exec, Put
from fleetrun.results import Outcome
from fleetrun.session import Command, CommandEnd, OnOutput, RemoteFiles
from fleetrun.testing import FakeConnect, FakeFiles, FakeHost

HOSTS = tuple(Host(name=f"h{number}", user="deploy") for number in range(6))


@pytest.mark.parametrize(
    ("workload", "operation"),
    [
        (Workload(kind=Kind.WAIT, seconds=0.25), Exec(command="sleep 0.25")),
        (
            Workload(kind=Kind.CPU_REMOTE, turns=7),
            Exec(command="i=0; while [ $i -lt 7 ]; do i=$((i+1)); done"),
        ),
        (
            Workload(kind=Kind.CPU_LOCAL, seconds=0.02),
            WorkedOn(command="true", cpu_seconds=0.02),
        ),
    ],
    ids=["wait", "cpu-remote", "cpu-local"],
)
def test_a_workload_is_made_of_what_users_run(workload: Workload, operation: Exec) -> None:
    with prepared(workload, HOSTS) as made:
        assert made == operation


def test_a_transfer_puts_a_file_of_that_size_which_is_gone_afterwards() -> None:
    with prepared(Workload(kind=Kind.TRANSFER, size_bytes=1234), HOSTS) as made:
        assert isinstance(made, Put)
        (source,) = made.sources
        assert source.stat().st_size == 1234

    assert not source.parent.exists()


def test_mixed_gives_each_host_one_of_the_others_in_turn() -> None:
    with prepared(DEFAULTS[Kind.MIXED], HOSTS) as made:
        assert isinstance(made, list)
        kinds = [type(operation) for operation in made]

    assert kinds == [Exec, Exec, WorkedOn, PassingPut, Exec, Exec]


@pytest.mark.parametrize("kind", Kind, ids=str)
def test_every_workload_can_be_sent_to_a_worker_and_described(kind: Kind) -> None:
    with prepared(DEFAULTS[kind], HOSTS) as made:
        assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 (just made)

    assert str(DEFAULTS[kind]).startswith(f"{kind}: ")


@pytest.mark.parametrize("mode", Mode, ids=str)
def test_a_result_is_worked_on_where_its_host_was(mode: Mode) -> None:
    # Importable in workers, or they would say that the job cannot be unpickled.
    fleet = Fleet(["h1", "h2"], mode=mode, connect=FakeConnect(others=FakeHost(stdout=b"x")))
    with prepared(Workload(kind=Kind.CPU_LOCAL, seconds=0.001), fleet.hosts) as operation:
        ended = [event.result for event in fleet.events(operation) if hasattr(event, "result")]

    assert [result.outcome for result in ended] == [Outcome.OK] * 2


def test_computing_takes_that_much_processor_time_of_its_thread() -> None:
    before_s = time.thread_time()
    compute(0.05)

    assert time.thread_time() - before_s >= 0.05


class _Session:
    """A session whose files last from one opening to the next."""

    def __init__(self, files: FakeFiles) -> None:
        self._files = files

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        raise NotImplementedError

    def files(self, *, timeout_s: float | None) -> RemoteFiles:  # noqa: ARG002
        return self._files

    def close(self) -> None:
        """Do nothing."""


def ignored(_event: Event) -> None:
    """Take what happens."""


def test_a_file_that_was_put_is_removed_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    files = FakeFiles({"mine": b"old"})

    ending = PassingPut(sources=(tmp_path / "file",)).perform(HOSTS[0], _Session(files), ignored)

    assert ending.done
    assert len(ending.files) == 1
    assert files.contents == {"mine": b"old"}


def test_a_file_that_was_refused_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    files = FakeFiles({}, refuse_replace=True)

    ending = PassingPut(sources=(tmp_path / "file",)).perform(HOSTS[0], _Session(files), ignored)

    assert (ending.done, ending.refused is None) == (False, False)
    assert files.contents == {}
