"""What Dask's own processes load in the tests (`--preload`): see `dask_cluster`.

The scheduler calls out each worker that joins or leaves, and a nanny that it is ready. Each process
that the tests have started ends when its standard input does, so that a test run that is killed
leaves none. Imports nothing of fleetrun: there are workers without it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

from dask_roll import call_out
from distributed import Nanny, Scheduler, Status
from distributed.diagnostics.plugin import SchedulerPlugin

_POLL_S = 0.01
_under_way: list[asyncio.Task[None]] = []
"""Kept here, since an event loop does not keep its tasks."""


def dask_setup(server: Any) -> None:  # noqa: ANN401 (a Scheduler, a Worker or a Nanny)
    """Begin; called by Dask while the process starts."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    if isinstance(server, Scheduler):
        server.add_plugin(_CallOut())
    if isinstance(server, Nanny):
        _under_way.append(asyncio.ensure_future(_call_out_when_ready(server)))


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


class _CallOut(SchedulerPlugin):
    """Writes down who comes and goes."""

    name = "call-out"

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        state = scheduler.workers[worker]
        call_out(name=str(state.name), address=worker, pid=state.pid)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:  # noqa: ARG002
        call_out(left=worker)


async def _call_out_when_ready(nanny: Nanny) -> None:
    """Write that a nanny would start its worker again: before, one that dies takes it along."""
    while nanny.status is not Status.running:  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(_POLL_S)
    call_out(nanny=str(nanny.name))
