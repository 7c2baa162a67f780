"""What an experiment says in words, and its findings as one JSON document."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import TYPE_CHECKING

from fleetrun.output.writer import Writer

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_COLUMNS = 88
_DIGITS = 9
"""Nanoseconds: what `time.perf_counter` resolves."""


def write_sentences(says: str, out: Writer) -> None:
    """Write what the figures show, wrapped, after an empty line."""
    paragraphs = (textwrap.fill(paragraph, _COLUMNS) for paragraph in says.split("\n"))
    out.write(("\n" + "\n".join(paragraphs) + "\n").encode())


def write_findings_json(experiment: str, findings: DataclassInstance, out: Writer) -> None:
    """Write `{"experiment": …, …}`: the fields of the findings, by name, None as null.

    Fields may be added, and none is renamed. Raises `OSError` when it cannot be written.
    """
    document = {"experiment": experiment, **dataclasses.asdict(findings)}
    out.write(f"{json.dumps(_rounded(document), indent=1)}\n".encode())


def _rounded(value: object) -> object:
    match value:
        case float():
            return round(value, _DIGITS)
        case dict():
            return {name: _rounded(each) for name, each in value.items()}
        case list() | tuple():
            return [_rounded(each) for each in value]
        case _:
            return value
