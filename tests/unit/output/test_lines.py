from __future__ import annotations

import io

import pytest

from fleetrun.events import Finished, Output, Started
from fleetrun.output import Lines, Writer
from fleetrun.output.lines import LONGEST_LINE_BYTES
from fleetrun.results import Outcome, Report, Result, Stream


class Shown:
    """A `Lines` sink and what it wrote, to both outputs."""

    def __init__(
        self, *, is_terminal: bool = False, coloured: bool = False, prefixed: bool = True
    ) -> None:
        self._out, self._err = io.BytesIO(), io.BytesIO()
        out = Writer(file=self._out, is_terminal=is_terminal, coloured=coloured)
        self.lines = Lines(out=out, err=Writer(file=self._err), prefixed=prefixed)

    def write(self, host: str, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        self.lines.take(Output(host=host, stream=stream, data=data))

    def finish(self, host: str, *, files: tuple[str, ...] = ()) -> None:
        self.lines.take(Finished(result=Result(host=host, outcome=Outcome.OK, files=files)))

    @property
    def out(self) -> bytes:
        return self._out.getvalue()

    @property
    def err(self) -> bytes:
        return self._err.getvalue()


def test_each_line_stands_behind_its_host() -> None:
    shown = Shown()

    shown.write("web1", b"one\n\ntwo\n")

    assert shown.out == b"web1: one\nweb1: \nweb1: two\n"


def test_a_line_is_shown_as_soon_as_it_ends_and_not_before() -> None:
    shown = Shown()

    shown.write("web1", b"up 3")
    assert shown.out == b""

    shown.write("web1", b" days\nload")
    assert shown.out == b"web1: up 3 days\n"


def test_lines_of_different_hosts_never_mix() -> None:
    shown = Shown()

    for piece in (b"al", b"pha\nbe", b"ta\n"):
        for host in ("web1", "web2"):
            shown.write(host, piece)

    assert sorted(shown.out.splitlines()) == [
        b"web1: alpha",
        b"web1: beta",
        b"web2: alpha",
        b"web2: beta",
    ]


def test_stderr_goes_to_standard_error_and_never_joins_a_line_of_stdout() -> None:
    shown = Shown()

    shown.write("web1", b"out")
    shown.write("web1", b"err\n", Stream.STDERR)
    shown.write("web1", b"put\n")

    assert shown.out == b"web1: output\n"
    assert shown.err == b"web1: err\n"


def test_what_has_no_end_when_its_host_finishes_gets_one() -> None:
    shown = Shown()
    shown.write("web1", b"no newline")
    shown.write("web1", b"nor here", Stream.STDERR)
    shown.write("web2", b"web2 goes on")

    shown.finish("web1")

    assert shown.out == b"web1: no newline\n"
    assert shown.err == b"web1: nor here\n"


def test_a_host_that_wrote_nothing_shows_nothing() -> None:
    shown = Shown()
    shown.lines.take(Started(host="web1", at_s=0.0))

    shown.finish("web1")
    shown.lines.close(Report(results=()))

    assert shown.out == shown.err == b""


@pytest.mark.parametrize("piece_bytes", [1000, LONGEST_LINE_BYTES, 10**6], ids=str)
def test_a_line_is_broken_at_the_same_places_however_it_comes(piece_bytes: int) -> None:
    line = bytes(range(ord("a"), ord("z") + 1)) * (3 * LONGEST_LINE_BYTES // 26)
    shown = Shown(prefixed=False)

    for begin in range(0, len(line), piece_bytes):
        shown.write("web1", line[begin : begin + piece_bytes])
    shown.write("web1", b"\n")

    parts = shown.out.splitlines()
    assert b"".join(parts) == line
    assert [len(part) for part in parts[:-1]] == [LONGEST_LINE_BYTES] * (len(parts) - 1)


def test_a_line_that_never_ends_is_not_kept_in_memory() -> None:
    shown = Shown(prefixed=False)

    for _ in range(40):
        shown.write("web1", b"x" * 8192)

    assert len(shown.out) >= 40 * 8192 - LONGEST_LINE_BYTES


def test_a_long_line_is_not_broken_within_a_character() -> None:
    shown = Shown(is_terminal=True, prefixed=False)

    shown.write("web1", b"x" + "é".encode() * LONGEST_LINE_BYTES + b"\n")

    assert shown.out.replace(b"\n", b"") == b"x" + "é".encode() * LONGEST_LINE_BYTES


def test_bytes_without_any_character_start_are_broken_all_the_same() -> None:
    shown = Shown(prefixed=False)

    shown.write("web1", b"\x80" * (LONGEST_LINE_BYTES + 1) + b"\n")

    assert shown.out == b"\x80" * LONGEST_LINE_BYTES + b"\n\x80\n"


def test_a_pipe_gets_the_bytes_as_they_are() -> None:
    shown = Shown()

    shown.write("web1", b"\x1b[31mred\xff\r\n")

    assert shown.out == b"web1: \x1b[31mred\xff\r\n"


def test_a_terminal_gets_them_escaped() -> None:
    shown = Shown(is_terminal=True)

    shown.write("web1", b"\x1b[31mred\xff\r\n")

    assert shown.out == rb"web1: \x1b[31mred\xff\x0d" + b"\n"


def test_a_character_that_comes_in_two_pieces_is_one_character() -> None:
    shown = Shown(is_terminal=True)
    first, second = "é".encode()[:1], "é".encode()[1:]

    shown.write("web1", first)
    shown.write("web1", second + b"\n")

    assert shown.out == "web1: é\n".encode()


def test_only_the_name_is_coloured() -> None:
    shown = Shown(coloured=True)

    shown.write("web1", b"line\n")

    assert shown.out.startswith(b"\x1b[")
    assert shown.out.endswith(b"web1:\x1b[0m line\n")


def test_without_prefix_a_line_stands_alone() -> None:
    shown = Shown(prefixed=False, coloured=True)

    shown.write("web1", b"line\n")

    assert shown.out == b"line\n"


def test_each_file_of_a_transfer_is_a_line() -> None:
    shown = Shown()

    shown.finish("web1", files=("fetched/web1/etc/hosts", "fetched/web1/caf\udce9"))

    assert shown.out == b"web1: fetched/web1/etc/hosts\nweb1: fetched/web1/caf\xe9\n"


def test_a_file_with_a_lines_end_in_its_name_is_one_line() -> None:
    shown = Shown()

    shown.finish("web1", files=("a\nweb2: b",))

    assert shown.out == b"web1: a\\x0aweb2: b\n"
