"""How the command line spells a workload: `wait`, `cpu-local=20ms`, `transfer=10M`."""

from __future__ import annotations

import re
from dataclasses import replace

import click

from fleetrun.cli.duration import delay
from fleetrun.compare import Kind, Workload
from fleetrun.compare.workloads import DEFAULTS

SPELLINGS = "wait[=TIME], cpu-remote[=TURNS], cpu-local[=TIME], transfer[=SIZE], mixed"

_SIZE = re.compile(r"(\d+)([kMG]?)B?", re.ASCII)
_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_NUMBER = re.compile(r"\d+", re.ASCII)


def workload(text: str) -> Workload:
    """Return the workload; raises `click.BadParameter`.

    How much stands behind `=` or a space. A bare number is milliseconds for `cpu-local`, whose
    work is short, and seconds for `wait`.
    """
    name, _, much = text.strip().replace("=", " ", 1).partition(" ")
    much = much.strip()
    if name not in list(Kind):
        raise click.BadParameter(f"{name!r} is no workload; there are {', '.join(Kind)}.")
    usual = DEFAULTS[Kind(name)]
    return usual if not much else _of(usual, much)


def _of(usual: Workload, much: str) -> Workload:
    match usual.kind:
        case Kind.WAIT:
            return replace(usual, seconds=_seconds(much))
        case Kind.CPU_LOCAL:
            is_bare = _NUMBER.fullmatch(much)
            return replace(usual, seconds=_seconds(f"{much}ms" if is_bare else much))
        case Kind.CPU_REMOTE:
            return replace(usual, turns=_count(much, f"{much!r} is no number of turns."))
        case Kind.TRANSFER:
            return replace(usual, size_bytes=_size(much))
        case Kind.MIXED:
            raise click.BadParameter("mixed takes no amount.")


def _seconds(text: str) -> float:
    seconds = delay(text)
    if seconds == 0:
        raise click.BadParameter("work that takes no time is none.")
    return seconds


def _count(text: str, complaint: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise click.BadParameter(complaint)
    return int(text)


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise click.BadParameter(f"{text!r} is not a size such as 500000, 100k, 1M or 2G.")
    return int(match[1]) * _UNITS[match[2]]
