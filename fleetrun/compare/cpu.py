"""How much processor time this process and its workers use, and how often they gave it up."""

from __future__ import annotations

from fleetrun.runs import Usage


class CpuClock:
    """Counts processor time and context switches from the moment it is made.

    Of this process, and of the children that it waits for: a child counts, whole, from the moment
    it was waited for (getrusage(2), RUSAGE_CHILDREN). One that still runs, such as the servers of
    a practice fleet, does not.
    """

    def __init__(self) -> None:
        self._began = _used()

    @property
    def seconds(self) -> float | None:
        """User and system seconds since then; None where the operating system does not tell.

        `time.process_time` would be there, but leaves the workers out and calls it the whole.
        """
        usage = self.usage
        return None if usage is None else usage.cpu_seconds

    @property
    def usage(self) -> Usage | None:
        """What was used since then; None where the operating system does not tell."""
        now, began = _used(), self._began
        if now is None or began is None:
            return None
        return Usage(
            user_seconds=now.user_seconds - began.user_seconds,
            system_seconds=now.system_seconds - began.system_seconds,
            voluntary_switches=now.voluntary_switches - began.voluntary_switches,
            involuntary_switches=now.involuntary_switches - began.involuntary_switches,
        )


def _used() -> Usage | None:
    try:
        import resource  # noqa: PLC0415 (there is none on Windows)
    except ImportError:
        return None
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    own, children = map(resource.getrusage, whose)
    return Usage(
        user_seconds=own.ru_utime + children.ru_utime,
        system_seconds=own.ru_stime + children.ru_stime,
        voluntary_switches=own.ru_nvcsw + children.ru_nvcsw,
        involuntary_switches=own.ru_nivcsw + children.ru_nivcsw,
    )
