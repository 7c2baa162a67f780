"""What the operating system lets one process have: cores, and things to hold open."""

from __future__ import annotations

import os
from pathlib import Path

_SPARE = 8
"""For what comes and goes: starting a process takes four, a name look-up one or two."""
_UNKNOWN_IN_USE = 32


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def affordable(count: int, *, descriptors_each: int) -> int:
    """Return how many of count things this process can hold open at once; at least 1.

    The soft limit on descriptors is raised when it is too low, no further than is needed and the
    hard limit allows. Where the platform has no such limit, the answer is count.
    """
    try:
        import resource  # noqa: PLC0415 (there is none on Windows)
    except ImportError:
        return count
    taken = _descriptors_in_use() + _SPARE
    needed = taken + count * descriptors_each
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return count
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (ValueError, OSError):  # macOS: no more than OPEN_MAX, whatever the hard limit says
        raised = soft
    return max(1, min(count, (raised - taken) // descriptors_each))


def _descriptors_in_use() -> int:
    try:
        return sum(1 for _ in Path("/dev/fd").iterdir())
    except OSError:
        return _UNKNOWN_IN_USE
