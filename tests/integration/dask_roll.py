"""The roll of a cluster in a test: a file to which Dask's processes add lines, and the tests read.

dask_preload, in each process ─► call_out ─► a line of JSON ─► Roll ─► dask_cluster, in the test

Imports nothing of Dask, which is slow, and nothing of fleetrun, which some workers do without.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROLL = "DASK_CLUSTER_ROLL"
"""The variable of the environment that names the file."""


def call_out(**entry: object) -> None:
    """Add a line: `name`, `address` and `pid` of one who comes; `left`, an address; or `nanny`."""
    with Path(os.environ[ROLL]).open("a") as roll:
        roll.write(json.dumps(entry) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A worker as the scheduler has it."""

    name: str
    address: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Which workers the scheduler has had so far.

    Attributes:
        came: those that it listed, in order.
        left: addresses that it lists no more.
        nannies: names of the workers whose nannies would start them again.
    """

    came: Sequence[Listed]
    left: frozenset[str]
    nannies: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> Roll:
        """Read what was called out so far."""
        whole_lines = path.read_text().rpartition("\n")[0].splitlines()
        entries: list[dict[str, Any]] = [json.loads(line) for line in whole_lines]
        return cls(
            came=[Listed(**entry) for entry in entries if "address" in entry],
            left=frozenset(entry["left"] for entry in entries if "left" in entry),
            nannies=frozenset(entry["nanny"] for entry in entries if "nanny" in entry),
        )

    def last(self, name: str) -> Listed:
        """Return the last worker of that name that came."""
        return next(each for each in reversed(self.came) if each.name == name)

    def has(self, name: str) -> bool:
        """Return whether a worker of that name is listed."""
        return any(each.name == name and each.address not in self.left for each in self.came)
