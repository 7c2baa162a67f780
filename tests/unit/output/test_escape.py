from __future__ import annotations

import pytest

from fleetrun.output.escape import visible, visible_bytes


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param(b"up 3 days, 0.1", "up 3 days, 0.1", id="plain"),
        pytest.param(b"a\tb", "a\tb", id="a tab stays"),
        pytest.param(b"\x1b[2J", r"\x1b[2J", id="CSI"),
        pytest.param(b"\x1b]0;owned\x07", r"\x1b]0;owned\x07", id="OSC sets a title"),
        pytest.param(
            b"\x1b]52;c;cm0=\x1b\\", r"\x1b]52;c;cm0=\x1b" + "\\", id="OSC fills clipboard"
        ),
        pytest.param("\x9b2J".encode(), r"\x9b2J", id="C1 as UTF-8"),
        pytest.param(b"\x9b2J", r"\x9b2J", id="C1 as a bare byte"),
        pytest.param(b"ok\rFAIL", r"ok\x0dFAIL", id="CR"),
        pytest.param(b"\x08\x7f\x00", r"\x08\x7f\x00", id="backspace, DEL, NUL"),
        pytest.param(b"caf\xe9", r"caf\xe9", id="Latin-1"),
        pytest.param("naïve 日本 👍🏽".encode(), "naïve 日本 👍🏽", id="letters of all kinds stay"),
        pytest.param("\u202egpj.exe".encode(), r"\u202egpj.exe", id="bidi override"),
        pytest.param("a\u2066b\u2069".encode(), r"a\u2066b\u2069", id="bidi isolate"),
        pytest.param("a\u2028b".encode(), r"a\u2028b", id="line separator"),
    ],
)
def test_a_terminal_obeys_nothing_that_a_host_sends(line: bytes, shown: str) -> None:
    assert visible_bytes(line) == shown


def test_every_character_that_is_shown_is_harmless() -> None:
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x3000)]))

    shown = visible(everything)

    assert not [char for char in shown if ord(char) < 0x20 and char != "\t"]
    assert not [char for char in shown if 0x7F <= ord(char) <= 0x9F]
    assert shown.encode()


def test_an_undecodable_file_name_can_be_shown() -> None:
    assert visible(b"caf\xe9".decode(errors="surrogateescape")).encode() == rb"caf\udce9"
