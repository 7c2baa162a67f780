"""Copying files of a host here: below the host's own folder, whole, or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from pathlib import Path

import pytest
from memory_session import MemorySession, ignore

from fleetrun import Host, UsageError
from fleetrun.errors import ConnectionLost, Refused
from fleetrun.operations import Ending, Get, Interrupted, local_place
from fleetrun.session import FileInfo
from fleetrun.testing import FakeFiles

HOST = Host(name="web1", command_timeout_s=9.0)


def get(remote: FakeFiles, target: Path, *sources: str, host: Host = HOST) -> Ending:
    """Get the files."""
    session = MemorySession(remote=remote)
    ending = Get(sources=sources, target=target).perform(host, session, ignore)
    assert session.timeouts == [9.0]
    assert remote.closed
    return ending


def files_below(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- where it goes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("/etc/hosts", "web1/etc/hosts"),
        ("hosts", "web1/hosts"),
        ("./a//b", "web1/a/b"),
        ("/", "web1"),
        ("a b\nc", "web1/a b\nc"),
        ("~/x", "web1/~/x"),
        ("...", "web1/..."),
    ],
)
def test_a_file_goes_below_its_hosts_folder(source: str, place: str, tmp_path: Path) -> None:
    assert local_place(tmp_path, "web1", source) == tmp_path / place


@pytest.mark.parametrize("name", ["a/b", "/abs", "web1"])
def test_no_host_name_leads_out_of_the_target(name: str, tmp_path: Path) -> None:
    place = local_place(tmp_path, name, "/etc/hosts")
    assert place.relative_to(tmp_path).parts[1:] == ("etc", "hosts")


def test_bad_input_is_refused_before_any_connection(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for sources, target, words in [
        ((), tmp_path, "no file to get"),
        (("x",), tmp_path / "file", "is not a folder"),
        (("../x",), tmp_path, "does not name a file"),
        (("a/../../x",), tmp_path, "does not name a file"),
        (("a/",), tmp_path, "does not name a file, and only files can be fetched"),
        (("",), tmp_path, "does not name a file, and only files can be fetched"),
        (("a\0b",), tmp_path, "has a NUL byte in it"),
        (("etc/hosts", "/etc/hosts"), tmp_path, "same"),
    ]:
        with pytest.raises(UsageError, match=words):
            Get(sources=sources, target=target)


def test_files_arrive_with_their_permission_bits(tmp_path: Path) -> None:
    remote = FakeFiles({"/etc/a": b"a", "b": b""})
    remote.modes = {"/etc/a": 0o4750}
    ending = get(remote, tmp_path / "new" / "folder", "/etc/a", "b")
    folder = tmp_path / "new" / "folder" / "web1"
    assert ending.done
    assert ending.files == (str(folder / "etc" / "a"), str(folder / "b"))
    assert files_below(tmp_path / "new" / "folder") == {"web1/etc/a": b"a", "web1/b": b""}
    assert stat.S_IMODE((folder / "etc" / "a").stat().st_mode) == 0o750


def test_a_file_takes_an_old_ones_place(tmp_path: Path) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "a").write_bytes(b"old")
    assert get(FakeFiles({"a": b"new"}), tmp_path, "a").done
    assert files_below(tmp_path) == {"web1/a": b"new"}


@pytest.mark.parametrize("link", ["web1", "web1/etc", "web1/etc/a"])
@pytest.mark.parametrize("leads", ["outside", "nowhere"])
def test_a_link_below_the_target_is_neither_followed_nor_replaced(
    link: str, leads: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "etc").mkdir(parents=True)
    for mine in (outside / "a", outside / "etc" / "a"):
        mine.write_bytes(b"mine")
    place = tmp_path / "got" / link
    place.parent.mkdir(parents=True)
    destination = outside / "a" if link.endswith("a") else outside
    place.symlink_to(destination if leads == "outside" else tmp_path / "nowhere")
    refused = get(FakeFiles({"/etc/a": b"new"}), tmp_path / "got", "/etc/a").refused
    assert refused == f"{place}: is a link, which could lead anywhere; remove it first"
    assert place.is_symlink()
    assert files_below(outside) == {"a": b"mine", "etc/a": b"mine"}
    assert not (tmp_path / "nowhere").exists()


def test_the_target_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "got").symlink_to(tmp_path / "real")
    assert get(FakeFiles({"a": b"new"}), tmp_path / "got", "a").done
    assert files_below(tmp_path / "real") == {"web1/a": b"new"}


def test_nobody_else_can_read_a_file_before_it_has_its_own_permission_bits(tmp_path: Path) -> None:
    seen: list[int] = []

    class Secretive(Odd):
        def read(self, path: str) -> Generator[bytes, None, None]:
            (temporary,) = (tmp_path / "web1").iterdir()
            seen.append(stat.S_IMODE(temporary.stat().st_mode))
            yield from super().read(path)

    assert get(Secretive({}), tmp_path, "a").done
    assert seen == [0o600]


def test_a_file_with_a_name_as_long_as_names_can_be_arrives(tmp_path: Path) -> None:
    name = "n" * 255
    ending = get(FakeFiles({name: b"1"}), tmp_path, name)
    assert ending.refused is None
    assert files_below(tmp_path) == {f"web1/{name}": b"1"}


# --- refusals ------------------------------------------------------------------------------------


class Odd(FakeFiles):
    """A host whose file is not as long as it says.

    Attributes:
        said: the size that it says.
        sent: the pieces that it sends; an error among them is raised.
    """

    said: int | None = 3
    sent: tuple[bytes | Exception, ...] = (b"abc",)

    def info(self, path: str) -> FileInfo | None:  # noqa: ARG002
        return FileInfo(size_bytes=self.said, mode=None, is_folder=False)

    def read(self, path: str) -> Generator[bytes, None, None]:  # noqa: ARG002
        for piece in self.sent:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.mark.parametrize(
    ("said", "sent"),
    [(3, (b"ab",)), (3, ()), (1 << 60, (b"abc",))],
    ids=["shrinks", "empties", "claims too much"],
)
def test_a_file_that_is_not_as_long_as_the_host_said_does_not_take_the_old_ones_place(
    said: int, sent: tuple[bytes, ...], tmp_path: Path
) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "a").write_bytes(b"old")
    remote = Odd({})
    remote.said, remote.sent = said, sent
    ending = get(remote, tmp_path, "a")
    assert f"and the host had said {said}" in str(ending.refused)
    assert files_below(tmp_path) == {"web1/a": b"old"}


@pytest.mark.parametrize(
    "sent",
    [(b"abcd",), (b"abc", b"d"), (b"ab", b"cd"), (b"ab", b"c", Refused("never asked for"))],
    ids=["one piece", "a piece more", "half a piece", "no further than that"],
)
def test_a_file_that_grows_arrives_as_long_as_it_was(
    sent: tuple[bytes | Exception, ...], tmp_path: Path
) -> None:
    remote = Odd({})
    remote.sent = sent
    assert get(remote, tmp_path, "a").done
    assert files_below(tmp_path) == {"web1/a": b"abc"}


def test_a_reader_is_closed_before_the_files_are(tmp_path: Path) -> None:
    log: list[str] = []

    class Logging(Odd):
        def read(self, path: str) -> Generator[bytes, None, None]:
            try:
                yield from super().read(path)
            finally:
                log.append("reader")

        def close(self) -> None:
            log.append("files")
            super().close()

    remote = Logging({})
    remote.sent = (b"abc", b"d")
    get(remote, tmp_path, "a")
    assert log == ["reader", "files"]


@pytest.mark.parametrize("said", [0, None], ids=["size 0, as in /proc", "no size"])
def test_a_file_whose_length_the_host_does_not_know_is_taken_as_it_comes(
    said: int | None, tmp_path: Path
) -> None:
    remote = Odd({})
    remote.said = said
    assert get(remote, tmp_path, "a").done
    assert files_below(tmp_path) == {"web1/a": b"abc"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Refused("bad disk"), "bad disk"),
        (OSError(28, "No space left on device"), "a: cannot be written: No space left on device"),
    ],
    ids=["there", "here"],
)
def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(
    error: Exception, words: str, tmp_path: Path
) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "a").write_bytes(b"old")
    remote = Odd({})
    remote.sent = (b"ab", error)
    assert str(get(remote, tmp_path, "a").refused).endswith(words)
    assert files_below(tmp_path) == {"web1/a": b"old"}


def test_a_connection_that_is_lost_leaves_the_old_file_and_tells_what_came_before(
    tmp_path: Path,
) -> None:
    (tmp_path / "web1").mkdir()
    (tmp_path / "web1" / "b").write_bytes(b"old")

    class Lossy(Odd):
        def read(self, path: str) -> Generator[bytes, None, None]:
            yield b"ab"
            if path == "b":
                raise ConnectionLost("cut")
            yield b"c"

    remote = Lossy({})
    with pytest.raises(Interrupted) as interrupted:
        get(remote, tmp_path, "a", "b")
    assert isinstance(interrupted.value.error, ConnectionLost)
    assert interrupted.value.so_far.files == (str(tmp_path / "web1" / "a"),)
    assert remote.closed
    assert files_below(tmp_path) == {"web1/a": b"abc", "web1/b": b"old"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_a_refusal_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open
    monkeypatch.setattr(
        "fleetrun.operations.places._for_ourselves",
        lambda path, flags: real_open("/dev/full", os.O_WRONLY) if flags else real_open(path, 0),
    )
    ending = get(FakeFiles({"a": b"a" * 100_000}), tmp_path, "a")
    assert ending.refused == f"{tmp_path}/web1/a: cannot be written: No space left on device"
    assert files_below(tmp_path) == {}


@pytest.mark.parametrize(("source", "words"), [("missing", "no such file"), ("etc", "is a folder")])
def test_what_is_no_file_is_refused_and_those_before_it_are_kept(
    source: str, words: str, tmp_path: Path
) -> None:
    remote = FakeFiles({"a": b"a", "b": b"b"}, folders=["etc"])
    ending = get(remote, tmp_path, "a", source, "b")
    assert words in str(ending.refused)
    assert ending.files == (str(tmp_path / "web1" / "a"),)
    assert files_below(tmp_path) == {"web1/a": b"a"}


class Device(FakeFiles):
    """A host where everything is a device, pipe or socket, which is never to be opened."""

    def info(self, path: str) -> FileInfo | None:  # noqa: ARG002
        return FileInfo(size_bytes=0, mode=0o666, is_folder=False, is_special=True)

    def read(self, path: str) -> Generator[bytes, None, None]:
        raise AssertionError(path)


def test_what_may_have_no_end_is_not_opened(tmp_path: Path) -> None:
    ending = get(Device({}), tmp_path, "/dev/zero")
    assert str(ending.refused).startswith("/dev/zero: is a device, pipe or socket")
    assert files_below(tmp_path) == {}


def test_a_place_that_is_a_folder_here_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "web1" / "a").mkdir(parents=True)
    assert get(FakeFiles({"a": b"a"}), tmp_path, "a").refused is not None
    assert files_below(tmp_path) == {}
