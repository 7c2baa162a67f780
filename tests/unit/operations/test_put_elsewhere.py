"""Copying files from home, by a worker that is elsewhere: the same promises, and each file once.

What `test_put` says of copying holds here too: those tests run here again.
"""

# ruff: noqa: F811 (what a fixture is called here is what its parameter is called)

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import pickle
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from elsewhere import Home, WorkerElsewhere
from memory_session import MemorySession, ignore
from test_put import (  # noqa: F401 (pytest finds them here again, with this module's fixture)
    file,
    put,
    test_a_file_goes_into_a_folder_or_to_its_new_name,
    test_a_file_of_any_size_arrives_whole,
    test_a_file_takes_no_devices_place,
    test_a_file_that_did_not_arrive_whole_does_not_take_the_old_ones_place,
    test_a_file_that_vanishes_here_is_a_refusal_and_nothing_is_left_there,
    test_a_file_with_a_name_as_long_as_names_can_be_arrives,
    test_a_local_error_while_reading_is_a_refusal,
    test_a_refusal_names_the_file_and_not_the_name_it_had_on_its_way,
    test_a_refused_rename_leaves_the_old_file_and_nothing_else,
    test_a_write_that_is_refused_at_any_piece_leaves_the_old_file_and_nothing_else,
    test_files_before_a_refusal_are_named_and_those_after_it_are_not_tried,
    test_nothing_of_anybody_elses_is_removed_when_the_file_could_not_even_be_opened,
    test_several_files_need_a_folder,
    test_the_first_refusal_is_told_when_tidying_up_is_refused_too,
    test_what_stops_a_transfer_leaves_nothing_or_says_what,
)

from fleetrun import Host
from fleetrun.errors import ConnectionLost
from fleetrun.events import Event
from fleetrun.home import PIECE_BYTES
from fleetrun.job import Job, run_job
from fleetrun.operations import Interrupted, Put
from fleetrun.operations.sources import drop_copies
from fleetrun.results import Outcome
from fleetrun.session import Cancel, FileInfo
from fleetrun.testing import FakeConnect, FakeFiles

HOST = Host(name="web1", command_timeout_s=9.0)


@pytest.fixture(autouse=True)
def _elsewhere(at_home: Home) -> Home:
    return at_home


class Summing(FakeFiles):
    """A host that keeps of what is written its size and a checksum.

    Attributes:
        arrived: the checksum.
    """

    def __init__(self) -> None:
        super().__init__({}, folders=[""])
        self.arrived = ""
        self._size_bytes = 0

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        digest = hashlib.sha256()
        self._size_bytes = 0
        for piece in pieces:
            assert 0 < len(piece) <= 32 * 1024  # what a server must take
            digest.update(piece)
            self._size_bytes += len(piece)
        self.arrived = digest.hexdigest()
        super().write(path, [], mode=mode)
        return self._size_bytes

    def info(self, path: str) -> FileInfo:  # noqa: ARG002
        return FileInfo(size_bytes=self._size_bytes, mode=None, is_folder=False)


class Watched(FakeFiles):
    """A host that has something done before it takes each piece, whose number is given."""

    def __init__(self, before: Callable[[int], None]) -> None:
        super().__init__({"app.conf": b"old"})
        self._before = before

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        def watched() -> Iterator[bytes]:
            for number, piece in enumerate(pieces):
                self._before(number)
                yield piece

        return super().write(path, watched(), mode=mode)


def made(path: Path, size_bytes: int) -> Path:
    """Make it a file of so many random bytes."""
    path.write_bytes(os.urandom(size_bytes))
    return path


def descriptors() -> int:
    """Return how many this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def at_once(count: int, do: Callable[[int], object]) -> None:
    """Do it in so many threads, which begin together."""
    begin = threading.Barrier(count)

    def work(number: int) -> None:
        begin.wait()
        do(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# --- each file once ------------------------------------------------------------------------------


def test_a_file_is_brought_once_for_fifty_hosts_at_once(at_home: Home, tmp_path: Path) -> None:
    source = made(tmp_path / "app.conf", 5_000_000)
    remotes = [Summing() for _ in range(50)]
    operation = Put(sources=(source,))
    at_once(
        50,
        lambda number: operation.perform(HOST, MemorySession(remote=remotes[number]), ignore),
    )
    assert {remote.arrived for remote in remotes} == {sum_of(source)}
    assert at_home.asked.count("_StateOf") == 50
    assert at_home.asked.count("_PieceOf") == 20  # of 256 KiB, the last one shorter
    assert at_home.most_bytes < PIECE_BYTES + 1000


@pytest.mark.parametrize(
    ("size_bytes", "pieces"),
    [(1, 1), (PIECE_BYTES - 1, 1), (PIECE_BYTES, 2), (PIECE_BYTES + 1, 2), (3 * PIECE_BYTES, 4)],
)
def test_one_host_after_another_finds_what_the_first_one_had_brought(
    size_bytes: int, pieces: int, at_home: Home, tmp_path: Path
) -> None:
    source = made(tmp_path / "app.conf", size_bytes)
    for _ in range(3):
        remote = FakeFiles({})
        assert put(remote, "", source).done
        assert remote.contents == {"app.conf": source.read_bytes()}
    assert (at_home.asked.count("_StateOf"), at_home.asked.count("_PieceOf")) == (3, pieces)


def test_a_whole_job_works_with_a_file_that_is_elsewhere(at_home: Home, file: Path) -> None:
    events: list[Event] = []
    cancel = Cancel()
    job = Job(host=HOST, operation=Put(sources=(file,)))
    result = run_job(job, FakeConnect(), events.append, cancel)
    cancel.close()
    assert (result.outcome, result.files) == (Outcome.OK, ("app.conf",))
    assert len(at_home.asked) == 2


def test_what_every_host_has_of_its_own_is_not_kept_for_ever(at_home: Home, tmp_path: Path) -> None:
    sources = [made(tmp_path / f"{number}.conf", 10) for number in range(70)]
    before = descriptors()
    for source in sources:
        assert put(FakeFiles({}), "", source).done
    assert descriptors() - before == 64
    assert at_home.asked.count("_PieceOf") == 70
    put(FakeFiles({}), "", sources[-1])
    assert at_home.asked.count("_PieceOf") == 70
    put(FakeFiles({}), "", sources[0])
    assert at_home.asked.count("_PieceOf") == 71
    drop_copies()
    assert descriptors() == before


def test_copies_can_be_dropped_while_one_of_them_is_being_read(
    at_home: Home, tmp_path: Path
) -> None:
    source = made(tmp_path / "app.conf", 600_000)
    remote = Watched(lambda number: drop_copies() if number == 10 else None)
    assert put(remote, "", source).done
    assert remote.contents == {"app.conf": source.read_bytes()}
    assert at_home.asked.count("_PieceOf") == 3


def test_a_large_file_takes_no_more_memory_than_a_few_pieces(tmp_path: Path) -> None:
    source = tmp_path / "app.conf"
    with source.open("wb") as content:
        content.truncate(50_000_000)
    remote = Summing()
    tracemalloc.start()
    try:
        assert put(remote, "", source).done
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remote.arrived == sum_of(source)
    assert peak_bytes < 10 * PIECE_BYTES  # of them five copies on their way through this test


# --- a file that changes -------------------------------------------------------------------------


def test_a_later_run_brings_a_changed_file_anew(at_home: Home, file: Path) -> None:
    assert put(FakeFiles({}), "", file).done
    file.write_bytes(b"new")
    remote = FakeFiles({})
    assert put(remote, "", file).done
    assert remote.contents == {"app.conf": b"new"}
    assert at_home.asked.count("_PieceOf") == 2


def test_a_later_run_sees_that_only_the_time_has_changed(at_home: Home, file: Path) -> None:
    assert put(FakeFiles({}), "", file).done
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    assert put(FakeFiles({}), "", file).done
    assert at_home.asked.count("_PieceOf") == 2


def test_the_permission_bits_are_those_of_now(at_home: Home, file: Path) -> None:
    assert put(FakeFiles({}), "", file).done
    file.chmod(0o600)
    remote = FakeFiles({})
    assert put(remote, "", file).done
    assert remote.modes == {"app.conf": 0o600}
    assert at_home.asked.count("_PieceOf") == 1  # its content has not changed


def test_a_file_that_changes_while_it_is_brought_is_a_refusal(tmp_path: Path) -> None:
    source = made(tmp_path / "app.conf", 600_000)

    def change(number: int) -> None:
        if number == 3:
            os.utime(source, ns=(1, source.stat().st_mtime_ns + 1))

    remote = Watched(change)
    ending = put(remote, "", source)
    assert ending.refused == f"{source}: it changed while it was being copied. Try again"
    assert remote.contents == {"app.conf": b"old"}
    again = FakeFiles({})
    assert put(again, "", source).done
    assert again.contents == {"app.conf": source.read_bytes()}


def test_those_who_still_read_the_old_file_get_all_of_it(at_home: Home, tmp_path: Path) -> None:
    source = made(tmp_path / "app.conf", 600_000)
    old = source.read_bytes()
    assert put(FakeFiles({}), "", source).done

    def change(number: int) -> None:
        if number == 3:
            source.write_bytes(b"new")
            remote = FakeFiles({})
            assert put(remote, "", source).done
            assert remote.contents == {"app.conf": b"new"}

    remote = Watched(change)
    assert put(remote, "", source).done
    assert remote.contents == {"app.conf": old}
    assert at_home.asked.count("_PieceOf") == 4


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="/proc is Linux's")
def test_a_file_that_tells_no_size_is_read_to_its_end_for_each_host(at_home: Home) -> None:
    source = Path("/proc/version")
    for pieces in (1, 2):
        remote = FakeFiles({})
        assert put(remote, "", source).done
        assert remote.contents == {"version": source.read_bytes()}
        assert at_home.asked.count("_PieceOf") == pieces


# --- what cannot be done -------------------------------------------------------------------------


def test_a_file_that_vanishes_half_way_is_a_refusal_with_homes_reason(tmp_path: Path) -> None:
    source = made(tmp_path / "app.conf", 600_000)
    remote = Watched(lambda number: source.unlink() if number == 3 else None)
    ending = put(remote, "", source)
    assert ending.refused == f"{source}: cannot be read: No such file or directory"
    assert remote.contents == {"app.conf": b"old"}


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        (Path.mkdir, "cannot be read: Is a directory"),
        (os.mkfifo, "is a device, pipe or socket; only files can be put"),
    ],
    ids=["folder", "pipe"],
)
def test_what_has_taken_a_files_place_is_refused_and_nobody_waits_for_it(
    replace: Callable[[Path], None],
    words: str,
    file: Path,
) -> None:
    file.unlink()
    replace(file)
    remote = FakeFiles({"app.conf": b"old"})
    assert put(remote, "", file).refused == f"{file}: {words}"
    assert remote.contents == {"app.conf": b"old"}


@pytest.mark.parametrize("place", ["tempfile.TemporaryFile", "os.pwrite"])
def test_no_room_for_a_copy_is_a_refusal_that_says_where(
    place: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_given: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    remote = FakeFiles({"app.conf": b"old"})
    with monkeypatch.context() as patch:
        patch.setattr(f"fleetrun.operations.sources.{place}", full)
        ending = put(remote, "", file)
    assert ending.refused == (
        f"{file}: a copy cannot be kept on the machine that works on the host: "
        "No space left on device"
    )
    assert remote.contents == {"app.conf": b"old"}
    assert put(remote, "", file).done  # with room again
    assert remote.contents == {"app.conf": file.read_bytes()}


def test_a_home_that_cannot_be_asked_any_more_ends_it_as_a_lost_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made(tmp_path / "app.conf", 600_000)

    def gone(_question: object) -> object:
        raise ConnectionLost("home has hung up")

    def hang_up(number: int) -> None:
        if number == 3:
            monkeypatch.setattr("fleetrun.home._ask_home", [gone])

    remote = Watched(hang_up)
    with pytest.raises(Interrupted, match="home has hung up"):
        put(remote, "", source)
    assert remote.contents == {"app.conf": b"old"}


# --- the operation itself ------------------------------------------------------------------------


def test_an_operation_is_not_checked_against_the_wrong_machines_files() -> None:
    operation = Put(sources=(Path("nowhere/app.conf"),))
    assert pickle.loads(pickle.dumps(operation)) == operation  # noqa: S301 (just packed)
    assert dataclasses.replace(operation, target="etc/").sources == operation.sources


def test_it_is_not_checked_either_when_it_comes_to_a_process(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleetrun.home._ask_home", [])
    packed = pickle.dumps(Put(sources=(file,)))
    file.unlink()
    assert pickle.loads(packed) == pickle.loads(packed)  # noqa: S301 (just packed)


# --- another process -----------------------------------------------------------------------------


@pytest.mark.parametrize("greenlets", [False, True], ids=["threads", "greenlets"])
def test_another_process_in_another_folder_has_homes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, greenlets: bool
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    content = made(Path("app.conf"), 600_000).read_bytes()
    Path("app.conf").chmod(0o750)
    (there / "app.conf").write_bytes(b"another file of that name")
    operation = Put(sources=(Path("app.conf"),), target="etc/")
    with WorkerElsewhere(there, greenlets=greenlets) as worker:
        done = worker.perform(operation, *(FakeFiles({}, folders=["etc/"]) for _ in range(8)))
        assert done is not None
        assert [ending.files for ending in done.endings] == [("etc/app.conf",)] * 8
        assert list(done.contents) == [{"etc/app.conf": content}] * 8
        assert list(done.modes) == [{"etc/app.conf": 0o750}] * 8
        assert worker.asked.count("_PieceOf") == 3
        Path("app.conf").unlink()
        later = worker.perform(operation, FakeFiles({}))
    assert later is not None
    refused = later.endings[0].refused
    assert refused == "app.conf: cannot be read: No such file or directory"
