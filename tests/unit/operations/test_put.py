"""Copying files to a host: whole files in their places, or the old ones as they were."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from memory_session import MemorySession, ignore

from fleetrun import Host, UsageError
from fleetrun.errors import Cancelled, ConnectionLost, DeadlinePassed, Refused, SessionError
from fleetrun.operations import Ending, Interrupted, Put
from fleetrun.session import FileInfo
from fleetrun.testing import FakeFiles

HOST = Host(name="web1", command_timeout_s=9.0)


def put(remote: FakeFiles, target: str, *sources: Path) -> Ending:
    """Put the files."""
    session = MemorySession(remote=remote)
    ending = Put(sources=sources, target=target).perform(HOST, session, ignore)
    assert session.timeouts == [9.0]
    assert remote.closed
    return ending


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a local file of a few pieces."""
    path = tmp_path / "app.conf"
    path.write_bytes(bytes(range(256)) * 500)
    path.chmod(0o640)
    return path


# --- bad input -----------------------------------------------------------------------------------


def test_bad_input_is_refused_before_any_connection(tmp_path: Path, file: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / file.name
    twin.touch()
    for sources, words in [
        ((), "no file to put"),
        ((tmp_path,), "is a folder"),
        ((tmp_path / "missing",), "no such file"),
        ((Path(os.devnull),), "is a device"),
        ((file, twin), "two of the files are named app.conf"),
    ]:
        with pytest.raises(UsageError, match=words):
            Put(sources=sources)
    with pytest.raises(UsageError, match="NUL byte"):
        Put(sources=(file,), target="a\0b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_refused_before_any_connection(file: Path) -> None:
    file.chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        Put(sources=(file,))


# --- where it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "folders", "path"),
    [
        ("", (), "app.conf"),
        ("etc/", (), "etc/app.conf"),
        ("etc", ("etc",), "etc/app.conf"),
        ("etc", (), "etc"),
        ("/etc/new.conf", ("/etc",), "/etc/new.conf"),
    ],
    ids=["login folder", "slash", "folder", "file", "file in a folder"],
)
def test_a_file_goes_into_a_folder_or_to_its_new_name(
    target: str, folders: tuple[str, ...], path: str, file: Path
) -> None:
    remote = FakeFiles({}, folders=folders)
    ending = put(remote, target, file)
    assert (ending.done, ending.files) == (True, (path,))
    assert remote.contents == {path: file.read_bytes()}
    assert remote.modes == {path: 0o640}


def test_several_files_need_a_folder(file: Path, tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    remote = FakeFiles({"etc": b"a file"})
    ending = put(remote, "etc", file, tmp_path / "b")
    assert ending.refused is not None
    assert "is not a folder" in ending.refused
    assert remote.contents == {"etc": b"a file"}
    both = put(FakeFiles({}, folders=["etc"]), "etc", file, tmp_path / "b")
    assert both.files == ("etc/app.conf", "etc/b")


@pytest.mark.parametrize("size", [0, 1, 32_767, 32_768, 32_769, 100_000])
def test_a_file_of_any_size_arrives_whole(size: int, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(os.urandom(size))
    remote = FakeFiles({})
    assert put(remote, "", source).done
    assert remote.contents["f"] == source.read_bytes()


def test_a_file_with_a_name_as_long_as_names_can_be_arrives(tmp_path: Path) -> None:
    class Remote(FakeFiles):
        def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
            if len(path.rpartition("/")[2]) > 255:
                raise Refused(f"{path}: File name too long")
            return super().write(path, pieces, mode=mode)

    source = tmp_path / ("n" * 255)
    source.write_bytes(b"1")
    remote = Remote({}, folders=["etc"])
    assert put(remote, "etc", source).refused is None
    assert remote.contents == {f"etc/{source.name}": b"1"}


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(5))
def test_a_write_that_is_refused_at_any_piece_leaves_the_old_file_and_nothing_else(
    after: int, tmp_path: Path
) -> None:
    source = tmp_path / "app.conf"
    source.write_bytes(bytes(32_768 * 5))
    remote = FakeFiles({"app.conf": b"old"}, refuse_write_after=after)
    ending = put(remote, "", source)
    assert ending.refused is not None
    assert "No space left" in ending.refused
    assert (ending.done, ending.files) == (False, ())
    assert remote.contents == {"app.conf": b"old"}


def test_a_refused_rename_leaves_the_old_file_and_nothing_else(file: Path) -> None:
    remote = FakeFiles({"app.conf": b"old"}, refuse_replace=True)
    assert "Permission denied" in str(put(remote, "", file).refused)
    assert remote.contents == {"app.conf": b"old"}


def test_a_file_that_did_not_arrive_whole_does_not_take_the_old_ones_place(file: Path) -> None:
    class Losing(FakeFiles):
        def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
            written = super().write(path, pieces, mode=mode)
            self.contents[path] = self.contents[path][:-1]
            return written

    remote = Losing({"app.conf": b"old"})
    refused = str(put(remote, "", file).refused)
    assert "128000 bytes were sent and the host says that 127999 arrived" in refused
    assert remote.contents == {"app.conf": b"old"}


def test_a_local_error_while_reading_is_a_refusal(file: Path) -> None:
    class Reading(FakeFiles):
        def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
            super().write(path, pieces, mode=mode)
            raise OSError(5, "Input/output error")

    remote = Reading({"app.conf": b"old"})
    assert "Input/output error" in str(put(remote, "", file).refused)
    assert remote.contents == {"app.conf": b"old"}


def test_the_first_refusal_is_told_when_tidying_up_is_refused_too(file: Path) -> None:
    class Stubborn(FakeFiles):
        def remove(self, path: str) -> None:
            raise Refused(f"{path}: no removing here")

    remote = Stubborn({}, refuse_write_after=1)
    refused = str(put(remote, "", file).refused)
    (left,) = remote.contents
    assert "No space left" in refused
    assert refused.endswith(f"; {left} may be left on the host")


def test_nothing_of_anybody_elses_is_removed_when_the_file_could_not_even_be_opened(
    file: Path,
) -> None:
    class Taken(FakeFiles):
        removed: tuple[str, ...] = ()

        def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:  # noqa: ARG002
            raise Refused(f"{path}: exists")

        def remove(self, path: str) -> None:
            self.removed = (*self.removed, path)

    remote = Taken({})
    assert put(remote, "", file).refused is not None
    assert remote.removed == ()


def test_files_before_a_refusal_are_named_and_those_after_it_are_not_tried(
    tmp_path: Path,
) -> None:
    class Picky(FakeFiles):
        def replace(self, source: str, target: str) -> None:
            if target == "etc/b":
                raise Refused("etc/b: no")
            super().replace(source, target)

    sources = [tmp_path / name for name in "abc"]
    for source in sources:
        source.write_text(source.name)
    remote = Picky({}, folders=["etc"])
    ending = put(remote, "etc", *sources)
    assert (ending.refused, ending.files) == ("etc/b: no", ("etc/a",))
    assert remote.contents == {"etc/a": b"a"}


@pytest.mark.parametrize("error", [DeadlinePassed, Cancelled, ConnectionLost])
@pytest.mark.parametrize("reached", [True, False], ids=["can be tidied up", "cannot be reached"])
@pytest.mark.parametrize("pieces_before", [0, 1, 3])
def test_what_stops_a_transfer_leaves_nothing_or_says_what(
    error: type[SessionError], pieces_before: int, file: Path, *, reached: bool
) -> None:
    class Stopping(FakeFiles):
        def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
            if "etc/first" not in self.contents:
                return super().write(path, pieces, mode=mode)
            super().write(path, itertools.islice(pieces, pieces_before), mode=mode)
            raise error("that was that")

        def discard(self, path: str) -> bool:
            return reached and super().discard(path)

    first = file.with_name("first")
    first.write_text("first")
    remote = Stopping({"etc/app.conf": b"old"}, folders=["etc"])
    with pytest.raises(Interrupted) as interrupted:
        put(remote, "etc", first, file)
    assert interrupted.value.so_far.files == ("etc/first",)
    stopped = interrupted.value.error
    assert type(stopped) is error
    left = remote.contents.keys() - {"etc/first", "etc/app.conf"}
    assert len(left) == (0 if reached else 1)
    more = "".join(f"; {path} may be left on the host" for path in left)
    assert str(stopped) == f"that was that{more}"
    assert remote.contents["etc/app.conf"] == b"old"
    assert remote.closed


def test_a_file_that_vanishes_here_is_a_refusal_and_nothing_is_left_there(file: Path) -> None:
    remote = FakeFiles({"app.conf": b"old"})
    operation = Put(sources=(file,))
    file.unlink()
    ending = operation.perform(HOST, MemorySession(remote=remote), ignore)
    assert ending.refused == f"{file}: cannot be read: No such file or directory"
    assert remote.contents == {"app.conf": b"old"}


def test_a_file_takes_no_devices_place(file: Path) -> None:
    class Device(FakeFiles):
        def info(self, path: str) -> FileInfo | None:  # noqa: ARG002
            return FileInfo(size_bytes=0, mode=0o666, is_folder=False, is_special=True)

    remote = Device({"/dev/null": b""})
    ending = put(remote, "/dev/null", file)
    assert str(ending.refused).startswith("/dev/null: is a device, pipe or socket")
    assert remote.contents == {"/dev/null": b""}


def test_a_refusal_names_the_file_and_not_the_name_it_had_on_its_way(file: Path) -> None:
    remote = FakeFiles({}, refuse_write_after=1)
    assert put(remote, "/srv/new", file).refused == "/srv/new: No space left on device"
