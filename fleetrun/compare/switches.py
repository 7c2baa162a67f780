"""How often a thread gave its processor up to wait, as the operating system has counted it."""

from __future__ import annotations


def voluntary_switches() -> int | None:
    """Return the voluntary context switches of the calling thread until now.

    Each is a wait that did suspend the thread (getrusage(2), `ru_nvcsw` of RUSAGE_THREAD). None
    where the system does not count them by thread: Linux alone does.
    """
    try:
        import resource  # noqa: PLC0415 (there is none on Windows)

        return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    except (ImportError, AttributeError):
        return None
