"""The connections that the lines of one workplace make their calls over.

They are not those of Dask's client, which has 512 at the most, while each line has a call under way
all the time; and which closes them when it cannot find its scheduler again, while the workers could
finish what runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client


class Ways:
    """Connections to the Dask workers, or to the scheduler for them. For the client's event loop.

    Args:
        client: says which of the two, and how connections are secured.
    """

    def __init__(self, client: Client) -> None:
        from distributed.core import ConnectionPool  # noqa: PLC0415 (slow, and an extra)

        self._client = client
        self._scheduler = client.scheduler.address
        self._pool = ConnectionPool(limit=sys.maxsize, connection_args=client.connection_args)

    async def open(self) -> None:
        """Get ready; `close` is to be called in the end."""
        await self._pool.start()

    def to(self, address: str) -> Any:  # noqa: ANN401 (Dask's `rpc`, which has any method)
        """Return what carries calls to the Dask worker at that address."""
        from distributed.actor import ProxyRPC  # noqa: PLC0415 (likewise)

        if self._client.direct_to_workers:
            return self._pool(address)
        return ProxyRPC(self._pool(self._scheduler), address)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()
