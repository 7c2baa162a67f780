"""What Dask's own processes load in the tests (`--preload`): see `dask_cluster`.

The scheduler keeps the roll: a line for each worker that joins or leaves; nannies add when they are
ready. Every process that the tests have started ends when its standard input does, so that a test
run that is killed leaves none.
Imports nothing of fleetrun: there are workers without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

from distributed import Nanny, Scheduler, Status
from distributed.diagnostics.plugin import SchedulerPlugin

ROLL = "DASK_CLUSTER_ROLL"
"""The variable that names the file of the roll."""

_POLL_S = 0.01


def dask_setup(server: Any) -> None:  # noqa: ANN401 (a Scheduler, a Worker or a Nanny)
    """Begin; called by Dask while the process starts."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    roll = _Roll(Path(os.environ[ROLL]))
    if isinstance(server, Scheduler):
        server.add_plugin(roll)
    if isinstance(server, Nanny):
        server.saying_ready = asyncio.ensure_future(roll.await_ready(server))  # kept from the gc


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


class _Roll(SchedulerPlugin):  # type: ignore[misc]
    """Writes down who comes and goes."""

    name = "roll"

    def __init__(self, path: Path) -> None:
        self._path = path

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        state = scheduler.workers[worker]
        self._write({"name": str(state.name), "address": worker, "pid": state.pid})

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: object) -> None:  # noqa: ARG002
        self._write({"left": worker})

    async def await_ready(self, nanny: Nanny) -> None:
        """Write that a nanny would start its worker again: before, one that dies takes it along."""
        while nanny.status is not Status.running:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(_POLL_S)
        self._write({"nanny": str(nanny.name)})

    def _write(self, entry: dict[str, object]) -> None:
        with self._path.open("a") as roll:
            roll.write(json.dumps(entry) + "\n")
