"""Copying files home, by a worker that is elsewhere: the same promises, and nothing left at home.

What `test_get` says of copying holds here too: those tests run here again.
"""

from __future__ import annotations

import dataclasses
import pickle
import resource
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from elsewhere import Dying, Home, WorkerElsewhere
from test_get import (  # noqa: F401 (pytest finds them here again, with this module's fixture)
    files_below,
    get,
    test_a_connection_that_is_lost_leaves_the_old_file_and_tells_what_came_before,
    test_a_file_goes_below_its_hosts_folder,
    test_a_file_takes_an_old_ones_place,
    test_a_file_that_grows_arrives_as_long_as_it_was,
    test_a_file_that_is_not_as_long_as_the_host_said_does_not_take_the_old_ones_place,
    test_a_file_whose_length_the_host_does_not_know_is_taken_as_it_comes,
    test_a_file_with_a_name_as_long_as_names_can_be_arrives,
    test_a_full_disk_is_a_refusal_that_names_the_file,
    test_a_link_below_the_target_is_neither_followed_nor_replaced,
    test_a_place_that_is_a_folder_here_is_a_refusal,
    test_a_reader_is_closed_before_the_files_are,
    test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else,
    test_files_arrive_with_their_permission_bits,
    test_the_target_itself_may_be_a_link,
    test_what_is_no_file_is_refused_and_those_before_it_are_kept,
    test_what_may_have_no_end_is_not_opened,
)

from fleetrun import Host
from fleetrun.errors import ConnectionLost
from fleetrun.home import PIECE_BYTES
from fleetrun.job import Job, lost_result, run_job
from fleetrun.operations import Get, Interrupted
from fleetrun.results import Outcome
from fleetrun.session import Cancel, FileInfo
from fleetrun.testing import FakeConnect, FakeFiles, FakeHost

HOST = Host(name="web1", command_timeout_s=9.0)


@pytest.fixture(autouse=True)
def _elsewhere(at_home: Home) -> Home:
    return at_home


class Pieces(FakeFiles):
    """A host whose file is many pieces of 32 KiB, and that has something done before each.

    Args:
        count: how many.
        before: given the number of the piece.
    """

    def __init__(self, count: int, before: Callable[[int], object] = lambda _number: None) -> None:
        super().__init__({})
        self._count = count
        self._before = before

    def info(self, path: str) -> FileInfo:  # noqa: ARG002
        return FileInfo(size_bytes=self._count << 15, mode=0o640, is_folder=False)

    def read(self, path: str) -> Generator[bytes, None, None]:  # noqa: ARG002
        for number in range(self._count):
            self._before(number)
            yield number.to_bytes(4, "big") * (1 << 13)


def whole(count: int) -> bytes:
    """Return the file that is so many pieces."""
    return b"".join(number.to_bytes(4, "big") * (1 << 13) for number in range(count))


@pytest.fixture
def no_large_files() -> Iterator[int]:
    """Have this process write no file of more than so many bytes, as if a disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE_BYTES * 2, hard))
    yield PIECE_BYTES * 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# --- what travels --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_bytes", "questions"),
    [(0, 1), (1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (3 * PIECE_BYTES + 7, 4)],
)
def test_a_file_goes_home_in_pieces_of_256_kib(
    size_bytes: int, questions: int, at_home: Home, tmp_path: Path
) -> None:
    content = bytes(range(256)) * (size_bytes // 256) + bytes(size_bytes % 256)
    ending = get(FakeFiles({"a": content}), tmp_path, "a")
    assert ending.files == (str(tmp_path / "web1" / "a"),)
    assert files_below(tmp_path) == {"web1/a": content}
    assert len(at_home.asked) == questions
    assert at_home.most_bytes < PIECE_BYTES + 1000


def test_a_host_is_asked_for_no_more_than_a_piece_before_home_has_it(
    at_home: Home, tmp_path: Path
) -> None:
    at_piece: list[int] = []
    get(Pieces(40, lambda _number: at_piece.append(len(at_home.asked))), tmp_path, "a")
    assert at_piece == [max(0, number - 1) // 8 for number in range(40)]
    assert files_below(tmp_path) == {"web1/a": whole(40)}


def test_home_holds_no_descriptor_between_two_pieces(tmp_path: Path) -> None:
    def nothing_open(_number: int) -> None:
        for descriptor in Path("/dev/fd").iterdir():
            if descriptor.is_symlink():
                assert ".fleetrun-" not in str(descriptor.readlink())

    assert get(Pieces(40, nothing_open), tmp_path, "a").done


def test_nobody_else_can_read_a_file_that_is_on_its_way(tmp_path: Path) -> None:
    seen: set[int] = set()

    def look(number: int) -> None:
        if number > 8:
            (temporary,) = (tmp_path / "web1").iterdir()
            seen.add(stat.S_IMODE(temporary.stat().st_mode))

    assert get(Pieces(20, look), tmp_path, "a").done
    assert seen == {0o600}
    assert stat.S_IMODE((tmp_path / "web1" / "a").stat().st_mode) == 0o640


def test_a_large_file_takes_no_more_memory_than_a_few_pieces(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        assert get(Pieces(1600), tmp_path, "a").done
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "web1" / "a").stat().st_size == 1600 << 15
    assert peak_bytes < 12 * PIECE_BYTES  # of them some copies on their way through this test


def test_a_whole_job_writes_its_file_at_home(at_home: Home, tmp_path: Path) -> None:
    cancel = Cancel()
    connect = FakeConnect({"web1": FakeHost(files={"/etc/motd": b"hello\n"})})
    job = Job(host=HOST, operation=Get(sources=("/etc/motd",), target=tmp_path))
    result = run_job(job, connect, lambda _event: None, cancel)
    cancel.close()
    assert (result.outcome, result.files) == (Outcome.OK, (f"{tmp_path}/web1/etc/motd",))
    assert files_below(tmp_path) == {"web1/etc/motd": b"hello\n"}
    assert len(at_home.asked) == 1


# --- what cannot be done -------------------------------------------------------------------------


def test_a_disk_that_fills_up_at_home_is_a_refusal_with_homes_reason(
    no_large_files: int, at_home: Home, tmp_path: Path
) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "a").write_bytes(b"old")
    read: list[int] = []
    ending = get(Pieces(100, read.append), tmp_path, "a")
    assert ending.refused == f"{tmp_path}/web1/a: cannot be written: File too large"
    assert files_below(tmp_path) == {"web1/a": b"old"}
    assert len(read) == no_large_files // (1 << 15) + 9  # no more was asked of the host
    assert at_home.asked == ["_Piece"] * 3 + ["_NoMore"]


def test_a_link_that_has_taken_the_temporary_files_place_is_not_followed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")

    def put_a_link(number: int) -> None:
        if number == 10:
            (temporary,) = (tmp_path / "got" / "web1").iterdir()
            temporary.unlink()
            temporary.symlink_to(mine)

    ending = get(Pieces(40, put_a_link), tmp_path / "got", "a")
    assert "cannot be written" in str(ending.refused)
    assert files_below(tmp_path) == {"mine": b"mine"}
    assert list((tmp_path / "got" / "web1").iterdir()) == []


def test_a_piece_that_home_gets_twice_does_not_get_into_the_file(
    at_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = at_home.ask

    def twice(question: object) -> object:
        once(question)  # type: ignore[arg-type]
        return once(question)  # type: ignore[arg-type]

    def double(number: int) -> None:
        if number == 10:
            monkeypatch.setattr("fleetrun.home._ask_home", [twice])

    ending = get(Pieces(40, double), tmp_path, "a")
    assert "the connection to the worker is wrong" in str(ending.refused)
    assert files_below(tmp_path) == {}


def test_what_is_lost_half_way_is_removed_at_home(at_home: Home, tmp_path: Path) -> None:
    def lose(number: int) -> None:
        if number == 20:
            raise ConnectionLost("cut")

    with pytest.raises(Interrupted, match="cut"):
        get(Pieces(40, lose), tmp_path, "a")
    assert files_below(tmp_path) == {}
    assert at_home.asked == ["_Piece", "_Piece", "_NoMore"]


def test_a_home_that_cannot_be_asked_any_more_ends_it_as_a_lost_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_question: object) -> object:
        raise ConnectionLost("home has hung up")

    def hang_up(number: int) -> None:
        if number == 20:
            monkeypatch.setattr("fleetrun.home._ask_home", [gone])

    with pytest.raises(Interrupted, match="home has hung up"):
        get(Pieces(40, hang_up), tmp_path, "a")
    Get(sources=("a",), target=tmp_path).abandon(HOST)
    assert files_below(tmp_path) == {}


# --- a worker that dies --------------------------------------------------------------------------


def test_what_a_dead_worker_had_begun_is_removed_when_its_job_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "a").write_bytes(b"old")
    operation = Get(sources=("a",), target=tmp_path)
    with WorkerElsewhere(tmp_path) as worker:
        assert worker.perform(operation, Dying({})) is None
    assert worker.asked == ["_Piece", "_Piece"]
    (left,) = files_below(tmp_path).keys() - {"web1/a"}
    assert (tmp_path / left).stat().st_size == 2 * PIECE_BYTES
    other = Job(host=Host(name="web2"), operation=operation)
    lost_result(other, [], ConnectionLost("its worker is gone"), started_at_s=0.0)
    assert left in files_below(tmp_path)
    job = Job(host=HOST, operation=operation)
    lost_result(job, [], ConnectionLost("its worker is gone"), started_at_s=0.0)
    assert files_below(tmp_path) == {"web1/a": b"old"}


def test_a_worker_that_only_seemed_dead_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    operation = Get(sources=("a",), target=tmp_path)
    remote = Pieces(40, lambda number: operation.abandon(HOST) if number == 20 else None)
    ending = get(remote, tmp_path, "a")
    assert ending.refused == (
        f"{tmp_path}/web1/a: its beginning was removed, as its worker seemed gone"
    )
    assert files_below(tmp_path) == {}


_HOME_THAT_ENDS = """
import sys
from pathlib import Path
from elsewhere import Dying, WorkerElsewhere
from fleetrun.operations import Get

folder = Path(sys.argv[1])
with WorkerElsewhere(folder) as worker:
    assert worker.perform(Get(sources=("a",), target=folder), Dying({})) is None
print(*(path.stat().st_size for path in (folder / "web1").iterdir()))
"""


def test_what_nobody_has_given_up_is_removed_when_home_ends(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _HOME_THAT_ENDS, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=60,
    )
    assert ran.stdout == f"{2 * PIECE_BYTES}\n"
    assert list((tmp_path / "web1").iterdir()) == []


# --- the operation itself, and another process ---------------------------------------------------


def test_an_operation_is_not_checked_against_the_wrong_machines_files(tmp_path: Path) -> None:
    (tmp_path / "got").touch()
    operation = Get(sources=("a",), target=tmp_path / "got")
    assert pickle.loads(pickle.dumps(operation)) == operation  # noqa: S301 (just packed)
    assert dataclasses.replace(operation, sources=("b",)).target == operation.target


@pytest.mark.parametrize("greenlets", [False, True], ids=["threads", "greenlets"])
def test_another_process_in_another_folder_writes_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, greenlets: bool
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    content = whole(20)
    operation = Get(sources=("/etc/a",), target=Path("got"))
    with WorkerElsewhere(there, greenlets=greenlets) as worker:
        remotes = [FakeFiles({"/etc/a": content}), FakeFiles({}), FakeFiles({"/etc/a": b""})]
        done = worker.perform(operation, *remotes)
    assert done is not None
    first, second, third = done.endings
    assert (first.files, third.files) == (("got/web1/etc/a",), ("got/web3/etc/a",))
    assert second.refused == "/etc/a: no such file on the host"
    assert files_below(tmp_path) == {
        "here/got/web1/etc/a": content,
        "here/got/web3/etc/a": b"",
    }
