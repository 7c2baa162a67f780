"""Which inventory is meant when several places may name one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fleetrun.errors import UsageError

_OURS = "FLEETRUN_INVENTORY"
_ANSIBLES = "ANSIBLE_INVENTORY"
_USUAL_FILE = "hosts.yaml"


class Named(NamedTuple):
    """The sources of an inventory, and what names them: an option, a variable, the folder."""

    sources: tuple[str, ...]
    origin: str


def named_sources(given: Sequence[str]) -> Named:
    """Return what `-i`, the environment or the current folder names, in that order.

    Raises `UsageError` when none of them does.
    """
    named = find_sources(given)
    if named is None:
        raise UsageError(
            "there is no inventory: give one with -i (a file, or 'h1,h2,'), name one in "
            f"${_OURS}, or put a {_USUAL_FILE} here; -w h1,h2 needs none, and --lab 8 makes a "
            "practice fleet"
        )
    return named


def find_sources(given: Sequence[str]) -> Named | None:
    """Return what `named_sources` does; None when nothing names an inventory."""
    if given:
        return Named(tuple(given), "-i")
    if ours := os.environ.get(_OURS):
        return Named((ours,), f"${_OURS}")
    if ansibles := os.environ.get(_ANSIBLES):
        return Named(_paths_in(ansibles), f"${_ANSIBLES}")
    return Named((_USUAL_FILE,), _USUAL_FILE) if Path(_USUAL_FILE).exists() else None


def _paths_in(value: str) -> tuple[str, ...]:
    """Split a list of files, which is what Ansible takes the variable for; hosts stay together."""
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    return parts if all(Path(part).exists() for part in parts) else (value,)
