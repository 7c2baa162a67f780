"""A Dask cluster within this process, for those who have none: one, while anybody uses it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleetrun.executors.cluster.hush import import_quietly
from fleetrun.executors.limits import cores

if TYPE_CHECKING:
    from distributed import Client

_NOWHERE_ELSE = "127.0.0.1:0"
"""Where its pages can be seen: on this machine."""


class _Embedded:
    """The cluster and who uses it. For any number of threads.

    Two of them at once in one process get in each other's way while they start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._client: Client | None = None
        self._opened = contextlib.ExitStack()

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a client of it, which others use as well."""
        with self._lock:
            if self._client is None:
                self._client = self._opened.enter_context(_started())
            self._users += 1
        try:
            yield self._client
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    self._client = None
                    self._opened.close()


EMBEDDED = _Embedded()


@contextlib.contextmanager
def _started() -> Iterator[Client]:
    is_quiet = import_quietly()
    from distributed import Client, LocalCluster  # noqa: PLC0415 (slow, and an extra)

    with (
        LocalCluster(
            n_workers=cores(),
            threads_per_worker=1,
            processes=False,
            dashboard_address=_NOWHERE_ELSE,
            worker_dashboard_address=_NOWHERE_ELSE,
            silence_logs=False if is_quiet else logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False, direct_to_workers=True) as client,
    ):
        yield client
