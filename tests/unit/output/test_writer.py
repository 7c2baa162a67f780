from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetrun.output import Writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, io.FileIO]]:
    reader, writer = os.pipe()
    with io.FileIO(reader), io.FileIO(writer, "w") as file:
        yield reader, file


def test_a_write_goes_on_until_a_slow_reader_has_all(pipe: tuple[int, io.FileIO]) -> None:
    reader, file = pipe
    os.set_blocking(file.fileno(), False)
    data = os.urandom(1 << 20)

    def write_and_close() -> None:
        Writer(file=file).write(data)
        file.close()

    thread = threading.Thread(target=write_and_close)
    thread.start()

    received = b"".join(iter(lambda: os.read(reader, 1 << 16), b""))

    thread.join()
    assert received == data


def test_a_short_write_is_continued() -> None:
    class Grudging(io.BytesIO):
        def write(self, data: memoryview, /) -> int:  # type: ignore[override]
            return super().write(data[:3])

    file = Grudging()

    Writer(file=file).write(b"0123456789")

    assert file.getvalue() == b"0123456789"


def test_an_output_that_was_closed_from_the_start_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        Writer.of(None).write(b"x")


def test_nothing_is_left_in_a_buffer_that_could_fail_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as stream:
        Writer.of(stream).write(b"line\n")

        assert path.read_bytes() == b"line\n"


def test_bytes_stay_exact_unless_a_person_sees_them() -> None:
    line = b"\x1b[31m\xff\r"

    assert Writer(file=None, is_terminal=False).safe(line) == line
    assert Writer(file=None, is_terminal=True).safe(line) == rb"\x1b[31m\xff\x0d"


def test_a_terminal_is_recognized() -> None:
    controller, terminal = os.openpty()
    with io.FileIO(controller), os.fdopen(terminal, "w", encoding="utf-8") as stream:
        assert Writer.of(stream).is_terminal
