"""How much processor time this process and its workers use."""

from __future__ import annotations


class CpuClock:
    """Counts user and system seconds from the moment it is made.

    Of this process, and of the children that it waits for: a child counts, whole, from the moment
    it was waited for (getrusage(2), RUSAGE_CHILDREN). One that still runs, such as the servers of
    a practice fleet, does not.
    """

    def __init__(self) -> None:
        self._began_s = _used_s()

    @property
    def seconds(self) -> float | None:
        """The seconds since then; None where the operating system does not tell.

        `time.process_time` would be there, but leaves the workers out and calls it the whole.
        """
        now_s = _used_s()
        return None if now_s is None or self._began_s is None else now_s - self._began_s


def _used_s() -> float | None:
    try:
        import resource  # noqa: PLC0415 (there is none on Windows)
    except ImportError:
        return None
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, whose))
