"""A Dask worker that closes politely waits for the outposts that it has.

Dask refuses to retire a worker that holds an actor, and closes one whose lifetime is over, or that
is asked to by a signal, all the same. Its plugins are taken leave of first, and waited for. Through
a nanny a signal leaves them eight seconds (distributed 2026.8); a lifetime all they need.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from distributed import Worker, WorkerPlugin

if TYPE_CHECKING:
    from fleetrun.executors.cluster.outpost import Outpost


class Farewell(WorkerPlugin):
    """Waits, when the Dask worker closes, until its outposts have nothing to do.

    Attributes:
        outposts: those of this Dask worker.
    """

    def __init__(self) -> None:
        self.outposts: set[Outpost] = set()

    async def teardown(self, worker: Worker) -> None:
        """Have every outpost leave."""
        del worker
        await asyncio.gather(*(outpost.leave() for outpost in self.outposts))


_farewells: WeakKeyDictionary[Worker, Farewell] = WeakKeyDictionary()


async def farewell_of(worker: Worker) -> Farewell:
    """Return the Dask worker's; made and added to its plugins when it has none yet."""
    farewell = _farewells.get(worker)
    if farewell is None:
        farewell = _farewells[worker] = Farewell()
        await worker.plugin_add(farewell, name="fleetrun-farewell")
    return farewell
