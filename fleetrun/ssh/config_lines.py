"""The lines of an ssh_config file: keyword, words, place. First step of the reader.

The rules of words are OpenSSH's: `Keyword value`, `Keyword=value` and `Keyword = value` are the
same, either quote keeps blanks together, a backslash keeps a quote, `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fleetrun.errors import UsageError

_BLANKS = " \t\r\n\f"
_LINE = re.compile(r"(?P<keyword>[^ \t\r=\"]+)[ \t\r]*=?[ \t\r]*(?P<rest>.*)", re.DOTALL)
_ESCAPED = "'\"\\"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that says something.

    Attributes:
        keyword: in lower case, as ssh takes it in any.
        words: the words after it, without their quotes; at least one, which may be empty.
        rest: what stands after the keyword, as it is written.
        source: the file.
        number: the line in it, from 1.
    """

    keyword: str
    words: tuple[str, ...]
    rest: str
    source: str
    number: int

    @property
    def place(self) -> str:
        """Where it stands: `file:line`."""
        return f"{self.source}:{self.number}"

    def error(self, message: str) -> UsageError:
        """Return the error that something is wrong here, to be raised."""
        return UsageError(f"{self.place}: {message}")

    def word(self) -> str:
        """Return the only word; raises `UsageError` when it is empty or there are more."""
        if len(self.words) > 1:
            raise self.error(f"{self.keyword} takes one value, and there are {len(self.words)}")
        if not self.words[0]:
            raise self.error(f"{self.keyword} has no value")
        return self.words[0]


def parse_lines(text: str, source: str) -> Iterator[Line]:
    """Yield the lines of a file that say something; raises `UsageError` at one that is broken."""
    for number, raw in enumerate(text.split("\n"), start=1):
        stripped = raw.strip(_BLANKS)
        if stripped and not stripped.startswith("#"):
            yield _parse_line(stripped, source, number)


def _parse_line(text: str, source: str, number: int) -> Line:
    found = _LINE.fullmatch(text)
    keyword, rest = (found["keyword"], found["rest"]) if found else (text, "")
    line = Line(keyword=keyword.lower(), words=("",), rest=rest, source=source, number=number)
    if not rest:
        raise line.error(f"there is no value after {keyword!r}")
    words = _split(rest)
    if words is None:
        raise line.error("a quote is opened and not closed")
    return Line(keyword=line.keyword, words=words or ("",), rest=rest, source=source, number=number)


def _split(text: str) -> tuple[str, ...] | None:
    """Return the words before any comment; None when a quote is not closed."""
    words: list[str] = []
    word: list[str] | None = None  # None between words
    quote = ""
    chars = iter(range(len(text)))
    for at in chars:
        char, following = text[at], text[at + 1 : at + 2]
        if word is None:
            if char in " \t":
                continue
            if char == "#":
                break
            word = []
        if char == "\\" and following and (following in _ESCAPED or following + quote == " "):
            word.append(following)
            next(chars)
        elif not quote and char in " \t":
            words.append("".join(word))
            word = None
        elif not quote and char in "'\"":
            quote = char
        elif char == quote:
            quote = ""
        else:
            word.append(char)
    if word is not None:
        words.append("".join(word))
    return None if quote else tuple(words)
