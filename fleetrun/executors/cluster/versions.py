"""Whether the Dask workers have the fleetrun and the paramiko that this process has.

Jobs and events travel as pickles, which mean the same at both ends only if the code there is the
same. It is found out by calls of the standard library, so also from a worker without fleetrun.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleetrun.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

    from fleetrun.executors.cluster.workplace import DaskWorker

PACKAGES = ("fleetrun", "paramiko")


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A Dask worker whose version of a package is not that of this process; None for none."""

    address: str
    package: str
    there: str | None
    here: str

    def __str__(self) -> str:
        there = f"no {self.package}" if self.there is None else f"{self.package} {self.there}"
        return f"the Dask worker {self.address} has {there}, and this process has {self.here}"


def differences(differing: Sequence[Differing]) -> UsageError:
    """Return the error that says so."""
    others = len({each.address for each in differing}) - 1
    more = f", and {others} others differ too" if others else ""
    return UsageError(f"{differing[0]}{more}; install the same version on both")


class Versions:
    """What the Dask workers have, each of them asked once. For the event loop of the client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._here = {package: importlib.metadata.version(package) for package in PACKAGES}
        self._asked: dict[str, Differing | None] = {}

    async def differing(self, workers: Sequence[DaskWorker]) -> list[Differing]:
        """Return those that differ, at most one package of each, in the order of the workers."""
        new = [worker.address for worker in workers if worker.address not in self._asked]
        if new:
            self._asked |= dict.fromkeys(new)
            for package in reversed(PACKAGES):  # the first one that differs is what is said
                await self._ask(package, new)
        return [each for worker in workers if (each := self._asked[worker.address]) is not None]

    async def _ask(self, package: str, addresses: list[str]) -> None:
        here = self._here[package]
        for address, there in (await self._versions(package, addresses)).items():
            if there != here:
                self._asked[address] = Differing(
                    address=address, package=package, there=there, here=here
                )

    async def _versions(self, package: str, addresses: list[str]) -> Mapping[str, str | None]:
        """Return the package's version at each; None where it is not installed.

        One that does not answer is left out, and is heard of again when it is used.
        """
        answers = await self._client.run(
            importlib.metadata.version, package, workers=addresses, on_error="return"
        )
        return {
            address: None if isinstance(answer, Exception) else answer
            for address, answer in answers.items()
            if not isinstance(answer, OSError)
        }
