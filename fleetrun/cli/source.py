"""Which inventory is meant when several places may name one."""

from __future__ import annotations

import os
from pathlib import Path

from fleetrun.errors import UsageError

_VARIABLES = ("FLEETRUN_INVENTORY", "ANSIBLE_INVENTORY")
_USUAL_FILE = "hosts.yaml"


def named_source(given: str | None) -> str:
    """Return the inventory that `-i`, the environment or the current folder names, in that order.

    Raises `UsageError` when none of them does.
    """
    named = (given, *map(os.environ.get, _VARIABLES))
    if (source := next(filter(None, named), None)) is not None:
        return source
    if Path(_USUAL_FILE).exists():
        return _USUAL_FILE
    raise UsageError(
        "there is no inventory: give one with -i (a file, or 'h1,h2,'), name one in "
        f"${_VARIABLES[0]}, or put a {_USUAL_FILE} here; --lab 8 makes a practice fleet"
    )
