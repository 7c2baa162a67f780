"""A host's files over SFTP: every single answer is checked, whatever the server makes of it."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from typing import cast

import pytest
import scripted_sftp as sftp
from scripted_sftp import ScriptedSftp, status

from fleetrun.errors import ConnectionLost, DeadlinePassed, Refused
from fleetrun.session import FileInfo
from fleetrun.ssh.files import SftpFiles
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Deadline, Wire

PIECE = 32 * 1024
AHEAD = 64


def files_of(server: ScriptedSftp) -> SftpFiles:
    """Open the server's files."""
    return SftpFiles(cast("Transport", server), cast("Wire", server.wire))


def data(size: int) -> bytes:
    """Return so many bytes that are not all alike."""
    return (b"%09d\n" * (size // 10 + 1) % tuple(range(size // 10 + 1)))[:size]


def pieces(content: bytes) -> Iterator[bytes]:
    """Yield the content as `Put` reads it."""
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]


# --- the greeting --------------------------------------------------------------------------------


def test_a_host_without_the_service_is_told() -> None:
    server = ScriptedSftp()
    server.on_request = lambda channel, _kind, _rest: server.says_no(channel)
    with pytest.raises(Refused, match="serves no files"):
        files_of(server)


@pytest.mark.parametrize("version", [0, 2])
def test_an_older_version_is_refused(version: int) -> None:
    server = ScriptedSftp()
    server.version = version
    with pytest.raises(Refused, match=f"speaks SFTP version {version}"):
        files_of(server)


@pytest.mark.parametrize(
    "greeting",
    [
        bytes([sftp.VERSION]),
        bytes([sftp.VERSION]) + b"\0\0",
        bytes([sftp.VERSION]) + b"\0\0\0\3\0\0\0\xffshort",
        bytes([sftp.VERSION]) + b"\0\0\0\3\0\0\0\1x\0\0",
    ],
    ids=["nothing", "half a version", "half a name", "half a value"],
)
def test_a_greeting_that_is_cut_short_is_a_broken_protocol(greeting: bytes) -> None:
    server = ScriptedSftp()
    server.spoil = lambda _kind, _count: greeting
    with pytest.raises(ConnectionLost):
        files_of(server)


# --- what there is at a path ---------------------------------------------------------------------


def test_a_path_is_a_file_a_folder_or_nothing() -> None:
    server = ScriptedSftp(file=b"123")
    server.folders.add(".")
    server.modes["file"] = 0o4755
    files = files_of(server)
    assert files.info("file") == FileInfo(size_bytes=3, mode=0o4755, is_folder=False)
    assert files.info(".") == FileInfo(size_bytes=None, mode=0o755, is_folder=True)
    assert files.info("") == files.info(".")
    assert files.info("missing") is None


@pytest.mark.parametrize(
    ("kind", "special"),
    [(0, False), (stat.S_IFREG, False), (stat.S_IFIFO, True), (stat.S_IFCHR, True)],
    ids=["no kind told", "file", "pipe", "device"],
)
def test_what_is_neither_a_file_nor_a_folder_is_special(kind: int, *, special: bool) -> None:
    server = ScriptedSftp()
    told = bytes([sftp.ATTRS]) + struct.pack(">II", 4, kind | 0o644)
    server.spoil = lambda asked, _count: told if asked == sftp.STAT else None
    info = files_of(server).info("x")
    assert info == FileInfo(size_bytes=None, mode=0o644, is_folder=False, is_special=special)


def test_a_server_may_leave_everything_out() -> None:
    server = ScriptedSftp()
    server.spoil = lambda kind, _n: bytes([sftp.ATTRS]) + b"\0\0\0\0" if kind == sftp.STAT else None
    assert files_of(server).info("x") == FileInfo(size_bytes=None, mode=None, is_folder=False)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(sftp.DENIED, b"not you"), "the host says: not you"),
        (status(sftp.DENIED), "the host says: permission denied"),
        (status(sftp.FAILED), "the host says: failure"),
        (status(77), "the host says: status 77"),
        (bytes([sftp.STATUS]) + struct.pack(">I", sftp.DENIED), "permission denied"),
        (status(sftp.DENIED, b"\xff\x1b"), "\ufffd"),
    ],
    ids=["own words", "draft's words", "failure", "unknown", "version 2's form", "no text"],
)
def test_a_refusal_is_told_in_the_servers_words(answer: bytes, words: str) -> None:
    server = ScriptedSftp()
    server.spoil = lambda kind, _count: answer if kind == sftp.STAT else None
    with pytest.raises(Refused, match=f"^there: .*{words}"):
        files_of(server).info("there")


@pytest.mark.parametrize(
    "answer",
    [
        bytes([sftp.STATUS]),
        bytes([sftp.STATUS]) + b"\0\0",
        bytes([sftp.STATUS]) + b"\0\0\0\3\0\0\0\x09half",
        bytes([sftp.ATTRS]),
        bytes([sftp.ATTRS]) + b"\0\0\0\1\0\0",
        bytes([sftp.ATTRS]) + b"\0\0\0\4",
        bytes([sftp.DATA]) + b"\0\0\0\1x",
        bytes([99]),
    ],
    ids=[
        "no status",
        "half a status",
        "half its words",
        "no attributes",
        "half a size",
        "no mode",
        "data",
        "unknown kind",
    ],
)
def test_an_answer_that_makes_no_sense_is_a_broken_protocol_or_a_refusal(answer: bytes) -> None:
    server = ScriptedSftp()
    server.spoil = lambda kind, _count: answer if kind == sftp.STAT else None
    with pytest.raises((ConnectionLost, Refused)):
        files_of(server).info("there")


@pytest.mark.parametrize("size", [0, 4, 256 * 1024 + 1, 0xFFFFFFFF])
def test_an_answer_of_an_impossible_size_is_a_broken_protocol(size: int) -> None:
    server = ScriptedSftp(file=b"")
    files = files_of(server)
    server.writes(server.channels[-1], struct.pack(">I", size) + b"x" * 100)
    with pytest.raises(ConnectionLost, match=f"an answer of {size} bytes"):
        files.info("file")


def test_answers_may_come_in_pieces_of_any_size() -> None:
    for piece_bytes in (1, 2, 3, 7):
        server = ScriptedSftp(file=data(100))
        server.piece_bytes = piece_bytes
        files = files_of(server)
        assert b"".join(files.read("file")) == data(100)


def test_what_the_service_says_on_stderr_is_no_answer() -> None:
    server = ScriptedSftp(file=b"1")
    files = files_of(server)
    server.complains(server.channels[-1], b"\0\0\0\0 a warning")
    assert files.info("file") is not None


def test_a_service_that_ends_in_between_is_lost() -> None:
    server = ScriptedSftp()
    files = files_of(server)
    server.closes(server.channels[-1])
    with pytest.raises(ConnectionLost, match="closed its file service"):
        files.info("x")


# --- reading -------------------------------------------------------------------------------------

SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE, (AHEAD + 3) * PIECE + 17]


@pytest.mark.parametrize("delayed", [0, 3], ids=["in order", "last first"])
@pytest.mark.parametrize("most_bytes", [1 << 20, PIECE // 2, 10_000], ids=["whole", "half", "odd"])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_read_whole_and_in_order(size: int, most_bytes: int, delayed: int) -> None:
    server = ScriptedSftp(file=data(size))
    server.most_bytes = most_bytes
    files = files_of(server)
    server.delayed = delayed
    assert b"".join(files.read("file")) == data(size)
    assert not server.open_handles


def test_a_short_file_costs_few_requests() -> None:
    server = ScriptedSftp(file=b"short")
    list(files_of(server).read("file"))
    assert server.asked.count(sftp.READ) <= 3


def test_a_long_file_is_asked_for_ahead_within_the_bound() -> None:
    server = ScriptedSftp(file=data(4 * AHEAD * PIECE))
    files = files_of(server)
    server.delayed = 10_000
    for _ in files.read("file"):
        pass
    assert AHEAD // 2 <= server.most_ahead <= AHEAD


def test_a_file_that_grows_or_shrinks_meanwhile_is_read_to_the_end_it_has_then() -> None:
    server = ScriptedSftp(file=data(10 * PIECE))
    content = files_of(server).read("file")
    next(content)
    server.files["file"] = data(7 * PIECE)
    assert sum(map(len, content)) == 6 * PIECE


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_refusal_while_reading_is_told_and_the_file_is_closed(count: int) -> None:
    server = ScriptedSftp(file=data(10 * PIECE))
    answer = status(sftp.FAILED, b"bad disk")
    server.spoil = lambda kind, n: answer if (kind, n) == (sftp.READ, count) else None
    with pytest.raises(Refused, match="bad disk"):
        list(files_of(server).read("file"))
    assert not server.open_handles


@pytest.mark.parametrize(
    "answer",
    [
        bytes([sftp.DATA]) + sftp.string(b""),
        bytes([sftp.DATA]) + sftp.string(b"x" * (PIECE + 1)),
        bytes([sftp.DATA]) + b"\0\0",
        bytes([sftp.DATA]) + struct.pack(">I", PIECE) + b"less",
        bytes([sftp.HANDLE]) + sftp.string(b"h"),
        status(sftp.OK),
    ],
    ids=["nothing", "too much", "no length", "less than it says", "a handle", "ok"],
)
def test_data_that_is_not_what_was_asked_for_is_never_taken(answer: bytes) -> None:
    server = ScriptedSftp(file=data(3 * PIECE))
    server.spoil = lambda kind, n: answer if (kind, n) == (sftp.READ, 1) else None
    received: list[bytes] = []
    with pytest.raises((ConnectionLost, Refused)):
        received.extend(files_of(server).read("file"))
    assert b"".join(received) == data(PIECE)


def test_a_reader_that_stops_early_closes_the_file_and_leaves_no_answer_behind() -> None:
    server = ScriptedSftp(file=data(100 * PIECE), other=b"other")
    files = files_of(server)
    content = files.read("file")
    next(content)
    next(content)
    content.close()
    assert not server.open_handles
    assert not files._answers
    assert b"".join(files.read("other")) == b"other"


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(Refused, match=r"^missing: the host says: no such file"):
        list(files_of(ScriptedSftp()).read("missing"))


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("delayed", [0, 3], ids=["in order", "last first"])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_written_whole_with_its_permission_bits(size: int, delayed: int) -> None:
    server = ScriptedSftp()
    files = files_of(server)
    server.delayed = delayed
    assert files.write("new", pieces(data(size)), mode=0o751) == size
    assert server.files["new"] == data(size)
    assert server.modes["new"] == 0o751
    assert not server.open_handles


def test_writes_are_sent_ahead_within_the_bound() -> None:
    server = ScriptedSftp()
    files = files_of(server)
    server.delayed = 10_000
    files.write("new", pieces(data(4 * AHEAD * PIECE)), mode=0o600)
    assert AHEAD // 2 <= server.most_ahead <= AHEAD + 1


def test_a_file_that_exists_is_not_written_over() -> None:
    server = ScriptedSftp(old=b"old")
    with pytest.raises(Refused):
        files_of(server).write("old", [b"new"], mode=0o600)
    assert server.files["old"] == b"old"


@pytest.mark.parametrize(
    ("kind", "count"),
    [*((sftp.WRITE, count) for count in range(5)), (sftp.FSETSTAT, 0), (sftp.CLOSE, 0)],
    ids=[*(f"piece {count}" for count in range(5)), "permission bits", "closing"],
)
def test_a_write_that_fails_anywhere_is_refused_and_everything_is_answered(
    kind: int, count: int
) -> None:
    server = ScriptedSftp(other=b"other")
    server.spoil = lambda k, n: (
        status(sftp.FAILED, b"disk full") if (k, n) == (kind, count) else None
    )
    files = files_of(server)
    with pytest.raises(Refused, match=r"^new: the host says: disk full"):
        files.write("new", pieces(data(5 * PIECE)), mode=0o600)
    assert not files._answers
    assert files.info("other") is not None
    assert kind == sftp.CLOSE or not server.open_handles


# --- renaming and removing -----------------------------------------------------------------------


@pytest.mark.parametrize("extension", [True, False], ids=["posix-rename", "plain rename"])
@pytest.mark.parametrize("old", [True, False], ids=["over an old file", "to a new place"])
def test_a_file_takes_anothers_place(*, extension: bool, old: bool) -> None:
    server = ScriptedSftp(new=b"new", **({"target": b"old"} if old else {}))
    if not extension:
        server.extensions = {}
    files_of(server).replace("new", "target")
    assert server.files == {"target": b"new"}
    assert (sftp.REMOVE in server.asked) == (old and not extension)


def test_with_posix_rename_a_refusal_removes_nothing() -> None:
    server = ScriptedSftp(new=b"new", target=b"old")
    server.spoil = lambda kind, _n: status(sftp.DENIED) if kind == sftp.EXTENDED else None
    with pytest.raises(Refused, match="permission denied"):
        files_of(server).replace("new", "target")
    assert server.files == {"new": b"new", "target": b"old"}


@pytest.mark.parametrize(
    "refused",
    [{0}, {0, 1}, {0, 2}, {1}],
    ids=["over another", "any renaming of the old", "the new one's in the end", "of the old one"],
)
def test_without_posix_rename_a_refusal_leaves_the_old_file_where_it_was(refused: set[int]) -> None:
    server = ScriptedSftp(new=b"new", target=b"old")
    server.extensions = {}
    denied = status(sftp.DENIED)
    server.spoil = lambda kind, n: denied if kind == sftp.RENAME and n in refused else None
    files = files_of(server)
    if refused == {0}:
        files.replace("new", "target")
        assert server.files == {"target": b"new"}
        return
    with pytest.raises(Refused, match=r"^target: "):
        files.replace("new", "target")
    assert server.files == {"new": b"new", "target": b"old"}


def test_without_posix_rename_the_first_refusal_is_the_one_that_is_told() -> None:
    server = ScriptedSftp(new=b"new")
    server.extensions = {}
    server.spoil = lambda kind, n: (
        status(sftp.DENIED, b"read-only") if (kind, n) == (sftp.RENAME, 0) else None
    )
    with pytest.raises(Refused, match="read-only"):
        files_of(server).replace("new", "target")
    assert server.files == {"new": b"new"}


def test_an_old_file_that_cannot_come_back_is_told_by_its_new_name() -> None:
    server = ScriptedSftp(new=b"new", target=b"old")
    server.extensions = {}
    denied = status(sftp.DENIED, b"not again")
    server.spoil = lambda kind, n: denied if kind == sftp.RENAME and n in {0, 2, 3} else None
    with pytest.raises(Refused, match=r"^target: the host says: not again; .* is now ") as caught:
        files_of(server).replace("new", "target")
    aside = str(caught.value).split()[-1]
    assert server.files == {"new": b"new", aside: b"old"}


def test_a_file_is_removed() -> None:
    server = ScriptedSftp(old=b"old")
    files_of(server).remove("old")
    assert server.files == {}
    with pytest.raises(Refused, match="no such file"):
        files_of(server).remove("old")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["über", "\udcff\udce9", "a\nb", " ", "x" * 255])
def test_a_name_is_sent_byte_for_byte(name: str) -> None:
    server = ScriptedSftp()
    files = files_of(server)
    files.write(name, [b"1"], mode=0o600)
    assert list(server.files) == [name]
    assert b"".join(files.read(name)) == b"1"


# --- clearing up ---------------------------------------------------------------------------------


def test_what_is_of_no_use_is_removed_even_when_the_time_is_up_and_the_run_cancelled() -> None:
    server = ScriptedSftp(half=b"half")
    files = files_of(server)
    server.wire.deadline = Deadline.after(0.0, "time is up")
    assert files.discard("half")
    assert server.files == {}
    assert 0.0 < server.wire.deadline.remaining_s < 2.0
    assert not server.wire.heed_cancel


def test_what_was_never_there_is_gone() -> None:
    assert files_of(ScriptedSftp()).discard("half")


def test_what_cannot_be_removed_is_said_to_be_there() -> None:
    server = ScriptedSftp(half=b"half")
    server.spoil = lambda kind, _n: status(sftp.DENIED) if kind == sftp.REMOVE else None
    assert not files_of(server).discard("half")


def test_time_that_is_left_is_left() -> None:
    server = ScriptedSftp(half=b"half")
    server.wire.deadline = Deadline.after(60.0, "")
    files_of(server).discard("half")
    assert server.wire.deadline.remaining_s > 50.0


def test_nothing_is_sent_into_a_packet_that_was_cut_off() -> None:
    server = ScriptedSftp(half=b"half")
    files = files_of(server)
    server.wire.torn = True
    before = len(server.asked)
    assert not files.discard("half")
    files.close()
    assert server.asked[before:] == []
    assert server.files == {"half": b"half"}


def test_after_half_a_request_a_channel_of_its_own_is_used() -> None:
    server = ScriptedSftp()
    files = files_of(server)
    server.grants, server.channels[-1].send_window = False, PIECE + 200
    with pytest.raises(DeadlinePassed):
        files.write("half", pieces(data(2 * PIECE)), mode=0o600)
    assert "half" in server.files
    assert files.discard("half")
    assert "half" not in server.files
    assert len(server.channels) == 2


def test_closing_twice_is_allowed() -> None:
    files = files_of(ScriptedSftp())
    files.close()
    files.close()
