"""Whether this process can speak to the workers of a cluster itself, or through the scheduler."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetrun.executors.cluster.workplace import workers_of

if TYPE_CHECKING:
    from distributed import Client

_BOUND_S = 2.0


def go_direct(client: Client) -> bool:
    """Have the client speak to the workers itself, if it reaches all of them; return whether so.

    What is said through the scheduler costs its processor as much again as a worker's, and passes
    through its network twice.
    """
    client.direct_to_workers = client.sync(_reaches_all, client)
    return bool(client.direct_to_workers)


async def _reaches_all(client: Client) -> bool:
    workers = await workers_of(client)
    reached = await asyncio.gather(*(_reaches(client, worker.address) for worker in workers))
    return all(reached)


async def _reaches(client: Client, address: str) -> bool:
    from distributed.comm import connect  # noqa: PLC0415 (slow, and an extra)

    try:
        comm = await connect(address, timeout=_BOUND_S, **client.connection_args)
    except OSError:
        return False
    await comm.close()
    return True
