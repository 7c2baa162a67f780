r"""Makes text safe to show on a terminal, which obeys what it is sent. Used by every sink.

A host could otherwise rewrite lines above its own, change the window's title, fill the clipboard
or make the terminal type. What is not plain text is spelled out instead: ESC as `\x1b`, a byte
that is no UTF-8 as `\xff`, a bidi override as `\u202e`. A backslash of the text itself stays as it
is: what is shown is for reading, not for decoding.
"""

from __future__ import annotations

import re

_OBEYED = re.compile(
    "["
    "\x00-\x08\x0a-\x1f"  # C0 but for the tab; with CR and ESC, so that no sequence can begin
    "\x7f-\x9f"  # DEL and C1, where 0x9b begins a sequence as ESC [ does
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidi marks, overrides and isolates
    "\u2028\u2029"  # line and paragraph separator: some terminals break the line
    "\ud800-\udfff"  # what an undecodable file name turns into; no encoding takes them
    "]"
)
_ONE_BYTE = 0xFF


def visible(text: str) -> str:
    """Return the text, one line without its end, with all that a terminal obeys spelled out."""
    return _OBEYED.sub(_spell, text)


def visible_bytes(line: bytes) -> str:
    r"""Return the line as text: UTF-8 where it is, `\xff` where it is not, then `visible`."""
    return visible(line.decode("utf-8", errors="backslashreplace"))


def _spell(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= _ONE_BYTE else f"\\u{code:04x}"
