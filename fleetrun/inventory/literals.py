"""Values in Ansible's INI files, some of which are Python literals: lists and quoted text."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fleetrun.inventory.tree import Entry, Mapping, Node, Scalar, Sequence

MAX_LENGTH = 64 * 1024
"""In characters. Longer values are text: nobody writes a list of that size into one line."""

_NUMBER_OR_NAME = r"(?:[-+]?[0-9][0-9a-fA-FxXoO_.eE+-]*|True|False|None)"
_LITERAL = re.compile(rf"""[ \t]*(?:[uUbBrR]{{0,2}}["']|[\[{{(]|{_NUMBER_OR_NAME}\s*,)""")
_WARNED_OF = re.compile(r"\\|[0-9][A-Za-z]")
"""Escapes and numbers that Python may warn of; to silence it is not for several threads at once."""

_COMMENTED = re.compile(rf"({_NUMBER_OR_NAME})\s*#.*")


def parse_value(text: str, line: int | None) -> Node:
    """Return a value as Ansible takes it from an INI file, but numbers as they are spelled.

    Text in quotes, lists and dictionaries are read as Python writes them; what is none of these,
    or is not written correctly, is text.
    """
    commented = _COMMENTED.fullmatch(text)
    if commented is not None:
        return Scalar(commented[1], line, quoted=True)
    if _LITERAL.match(text) is None or len(text) > MAX_LENGTH:
        return Scalar(text, line, quoted=True)
    try:
        with _silence() if _WARNED_OF.search(text) else nullcontext():
            return _node(ast.literal_eval(text), line)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return Scalar(text, line, quoted=True)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Python from warning of a value as if it stood in a program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _node(value: object, line: int | None) -> Node:
    if isinstance(value, dict):
        entries = {str(key): Entry(_node(inner, line), line) for key, inner in value.items()}
        return Mapping(entries, line)
    if isinstance(value, list | tuple | set):
        return Sequence(tuple(_node(item, line) for item in value), line)
    if isinstance(value, bytes):
        return Scalar(value.decode(errors="replace"), line, quoted=True)
    return Scalar(str(value), line, quoted=True)
