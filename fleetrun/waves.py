"""Hosts in waves: a few first, and more only when those are well. Layer 6 of the road.

`fleetrun.rollout` does what is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleetrun.errors import UsageError
from fleetrun.operations import Exec
from fleetrun.share import Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """How many hosts are worked on before the next ones, and what must hold in between. Immutable.

    No wave is begun once a failure limit was passed. In a fleet without such a limit, none is
    begun after a wave in which any host was not ok.

    Attributes:
        canary: how many hosts the first wave has; 0 means that there is no such wave.
        batch: how many hosts each wave after it has: numbers (`5`) or percentages of all hosts
            (`"10%"`, rounded down, one host at least). The last one repeats; none means all.
        pause_s: seconds between the end of a wave and what follows it: its health check, or the
            next wave.
        health: a command that must end with status 0 on each host of a wave that is ok, or the
            host has failed; run with the host's own timeouts, after the last wave too. None means
            that nothing is checked.

    Raises `UsageError` for a number below 1 (canary and pause: below 0), for what is no number,
    and for an empty health command.
    """

    canary: int = 0
    batch: tuple[Share | int | str, ...] = ()
    pause_s: float = 0.0
    health: str | None = None

    def __post_init__(self) -> None:
        if self.canary < 0:
            raise UsageError(f"canary is {self.canary}; it is a number of hosts")
        if not 0 <= self.pause_s < float("inf"):
            raise UsageError(f"pause_s is {self.pause_s}; it is a number of seconds")
        for size in self.batch:
            if Share.of(size).number == 0:
                raise UsageError(f"a batch of {size} hosts would never come to an end")
        if self.health is not None:
            Exec(command=self.health)

    def sizes(self, hosts: int) -> Iterator[int]:
        """Yield how many of that many hosts each wave has."""
        left = hosts
        for size in self._wanted(hosts):
            if left <= 0:
                return
            yield min(size, left)
            left -= size

    def _wanted(self, hosts: int) -> Iterator[int]:
        """Yield the sizes without end, as if there were no end of hosts."""
        if self.canary:
            yield self.canary
        size = hosts
        for share in self.batch:
            yield (size := max(1, Share.of(share).among(hosts)))
        while True:
            yield size
