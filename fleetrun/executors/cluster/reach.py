"""Who of a cluster can be reached from this process: its scheduler, and its workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleetrun.executors.cluster.workplace import workers_of

if TYPE_CHECKING:
    from distributed import Client, Security

_BOUND_S = 2.0


def knock(address: str, security: Security, *, bound_s: float) -> None:
    """Connect to a scheduler, and hang up. Not from within an event loop.

    A client that could not be made for another reason than an `OSError` hangs when it is forgotten
    (distributed 2026.8), so this comes before one is made.

    Raises `OSError` when no scheduler answers in time, `ValueError` when the address is none,
    `TypeError` when it wants TLS and there are no files for it, `RuntimeError` the other way round.
    """
    from distributed.comm import get_address_host_port  # noqa: PLC0415 (slow, and an extra)

    get_address_host_port(address)
    asyncio.run(_knock(address, security, bound_s))


async def _knock(address: str, security: Security, bound_s: float) -> None:
    from distributed.comm import connect  # noqa: PLC0415 (slow, and an extra)

    how = security.get_connection_args("client")
    try:
        connecting = connect(address, timeout=bound_s, **how)  # which is not about being answered
        comm = await asyncio.wait_for(connecting, bound_s + _BOUND_S)
    except TimeoutError as error:
        raise ConnectionError("whatever is there says nothing") from error
    except (MemoryError, ValueError) as error:  # its words were read as lengths and messages
        raise ConnectionError("whatever answers there is no Dask scheduler") from error
    await comm.close()


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
