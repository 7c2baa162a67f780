"""Which Dask workers somebody wanted to retire and could not, since there are actors on them.

The scheduler logs that under the topic of the worker's address. A client has one handler for a
topic, so all fleets that use the client share this one.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from distributed import Client

_COULD_NOT_RETIRE = "could-not-retire"

Hear = Callable[[str], None]
"""Told the address of a Dask worker, in the event loop of the client."""


class Retirements:
    """Those that were refused, told to whoever listens. For the event loop of the client.

    It lives as long as the client, and does not keep it.
    """

    def __init__(self, client: Client) -> None:
        self._client = weakref.proxy(client)
        self._listeners: dict[str, list[Hear]] = {}

    def listen(self, address: str, hear: Hear) -> None:
        """Have it told when the Dask worker could not be retired."""
        if address not in self._listeners:
            self._client.subscribe_topic(address, functools.partial(self._tell, address))
        self._listeners.setdefault(address, []).append(hear)

    def ignore(self, address: str, hear: Hear) -> None:
        """Have it told no more."""
        listeners = self._listeners.get(address, [])
        if hear in listeners:
            listeners.remove(hear)
        if not listeners and self._listeners.pop(address, None) is not None:
            self._client.unsubscribe_topic(address)

    def _tell(self, address: str, event: tuple[float, Any]) -> None:
        _, said = event
        if isinstance(said, dict) and said.get("action") == _COULD_NOT_RETIRE:
            for hear in list(self._listeners.get(address, [])):
                hear(address)


_all: WeakKeyDictionary[Client, Retirements] = WeakKeyDictionary()


def retirements_of(client: Client) -> Retirements:
    """Return the client's."""
    return _all.setdefault(client, Retirements(client))
