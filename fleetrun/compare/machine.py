"""Where a comparison is made: what its figures depend on, beside the modes."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform

from fleetrun.executors.limits import cores
from fleetrun.runs import Machine

_PACKAGES = ("fleetrun", "paramiko", "cryptography", "gevent")
"""What does the work, apart from Python."""


def this_machine(command: str) -> Machine:
    """Return this machine as it is now; the command line is the caller's to know."""
    return Machine(
        system=platform.platform(terse=False),
        cores=cores(),
        load=_load(),
        versions=(
            (platform.python_implementation(), platform.python_version()),
            *((name, importlib.metadata.version(name)) for name in _PACKAGES),
        ),
        command=command,
        began_at=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
