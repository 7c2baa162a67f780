"""The seam between a supervisor and its workers: what a line to a worker is, and where one leads.

    Supervisor ─► Crew ─► WorkerEnd ─► Line ─┬─ a socket pair ─► worker process
                           ▲                  └─ a Dask actor ─► worker process, elsewhere
      Workplace ─ Opening ─┘

A line carries bytes both ways, in order, each of them once, to a worker process that is the same
wherever it is (`fleetrun.executors.worker`). What the bytes mean is up to both ends
(`fleetrun.executors.wire`). Nothing above a line knows where it leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fleetrun.hosts import Host, KeysFrom

Site = str | None
"""A place in the network from which some hosts are reached; None for those that any worker may."""


def site_of(host: Host, site_key: str | None) -> Site:
    """Return the site that the host is reached from; None when any will do."""
    value = None if site_key is None else host.vars.get(site_key)
    return None if value is None else str(value)


def reaches(sites: frozenset[str], site: Site) -> bool:
    """Return whether a worker that stands in those places may work on the hosts of the site."""
    return site is None or site in sites


class Line(Protocol):
    """The supervisor's end of the way to one worker process.

    Used by one thread, which never waits in it but in `wait`.

    Attributes:
        is_idle: whether the worker has nothing to do and nobody listens, since no run is on; to be
            set by the user. A line whose worker is to leave ends then, by itself.
    """

    is_idle: bool

    @property
    def sites(self) -> frozenset[str]:
        """The names of the places that the worker stands in."""

    @property
    def is_leaving(self) -> bool:
        """Whether the worker is to be given nothing more, since where it runs is to be shut down.

        What it has goes on to its end.
        """

    @property
    def is_exact(self) -> bool:
        """Whether all that the worker ever said has been received, or will be.

        Settled once `receive` has returned the end. When it is False, what the worker is known to
        have done is only a part of what it may have done.
        """

    @property
    def departed_bytes(self) -> int:
        """How many of the bytes that `send` took may have reached the worker."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something to receive.

        It is writable when `send` may take more.
        """

    def send(self, data: bytearray) -> int:
        """Take some of the bytes and return how many.

        Raises `BlockingIOError` when it takes none now, another `OSError` when the worker is gone.
        """

    def receive(self) -> bytes:
        """Return some of what the worker has said; nothing when it has ended and all was said.

        Raises `BlockingIOError` when there is nothing now, another `OSError` for the end as well.
        """

    def kill(self) -> None:
        """End the worker by force; what it said before can still be received."""

    def hang_up(self) -> None:
        """Close the line, which ends the worker; called once."""

    def wait(self) -> str:
        """Wait for the worker's end, once it was hung up on, and return what it was: a clause.

        Takes a second or two at most.
        """


Opening = Callable[[], Line]
"""Starts one worker, where one is wanted; raises `OSError` when it cannot be started."""


class Workplace(Protocol):
    """Where worker processes can be started. Used by one thread."""

    @property
    def patience_s(self) -> float:
        """How many seconds to wait for a new opening when no worker is left; 0 for not at all."""

    def openings(
        self, wanted: Mapping[Site, int], *, planned: int, hired: int
    ) -> Sequence[Opening]:
        """Return what starts the workers that are missing now, each of them one; jobs wait.

        Args:
            wanted: how many jobs wait that no worker has room for, by the site that they are for;
                negative where there is room left.
            planned: how many workers the run was planned with.
            hired: how many of them there are.
        """

    def serves(self, site: Site) -> bool:
        """Return whether a worker that serves the site could be started, now or soon."""

    def close(self) -> None:
        """Give everything back, once all lines are closed."""


class Place(Protocol):
    """A workplace that can be opened, as data: what a plan says of it. Safe to share."""

    @property
    def is_away(self) -> bool:
        """Whether it may be on other machines: with other files and other clocks."""

    @property
    def site_key(self) -> str | None:
        """The variable whose value is the site of a host; None when all hosts are alike."""

    @property
    def keys_from(self) -> KeysFrom:
        """Whose files log in to the hosts, where it is away."""

    def capacity(self) -> int:
        """Return how many workers can be started there; 1 at least.

        Raises `FleetrunError` when nobody is there who could be asked.
        """

    def check(self, hosts: Sequence[Host]) -> None:
        """Return when the hosts can be worked on there; raise `UsageError` when they cannot."""

    def open(self) -> Workplace:
        """Open it; the caller closes it.

        Raises `FleetrunError` when a worker there would not be like this process.
        """
