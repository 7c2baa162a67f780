"""Which hosts of an inventory are meant: patterns, a filter on variables, a random few."""

from __future__ import annotations

from dataclasses import dataclass

from fleetrun.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """A choice of hosts; each part leaves fewer. None means that a part leaves all.

    Attributes:
        hosts: a pattern (`fleetrun.inventory.patterns`); what `-w` gives.
        limit: a pattern too, for what is to be left of those; what `-l` gives.
        exclude: a pattern of hosts that are left out.
        where: a filter on variables (`fleetrun.inventory.where`).
        pick: at most so many of the rest, at random.
        seed: makes the same pick of the same hosts again; None means another one each time.

    Raises `UsageError` when a part cannot be.
    """

    hosts: str | None = None
    limit: str | None = None
    exclude: str | None = None
    where: str | None = None
    pick: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.pick is not None and self.pick < 1:
            raise UsageError(f"--pick {self.pick}: at least one host has to be picked")
        if self.seed is not None and self.pick is None:
            raise UsageError("--seed is for --pick, which was not given")
