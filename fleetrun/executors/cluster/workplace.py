"""The workers of a Dask cluster as a `Workplace`: who is there, who may be used, who is used.

scheduler ── identity, once a second ──► Dask workers ─► versions ─► slots ─► OutpostLine …
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future as Done
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from fleetrun.executors.cluster.line import OutpostLine
from fleetrun.executors.cluster.retirements import retirements_of
from fleetrun.executors.cluster.versions import Versions, differences
from fleetrun.executors.cluster.ways import Ways
from fleetrun.executors.line import Line, Opening, Site, reaches

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

_RETIRE_TRIES = 10
_RETIRE_PAUSE_S = 0.2

LOOK_S = 1.0
"""How often the scheduler is asked who is there: a few hundred bytes for each Dask worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskWorker:
    """A worker of the cluster, as its scheduler knows it.

    Attributes:
        address: where it listens, with the protocol.
        name: what it was named, or its address.
        resources: the names of the resources that it was started with.
        threads: how many tasks it would do at once; so many worker processes it is given.
    """

    address: str
    name: str
    resources: frozenset[str]
    threads: int

    @property
    def sites(self) -> frozenset[str]:
        """The sites that it serves: its resources, its name, and that without `-N` at the end.

        `dask worker --name ams --nworkers 4` names them `ams-0` to `ams-3`.
        """
        stem, _, number = self.name.rpartition("-")
        return self.resources | {self.name} | ({stem} if stem and number.isdigit() else set())


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Room for one worker process at a Dask worker."""

    worker: DaskWorker
    number: int

    @property
    def address(self) -> str:
        """The address of the Dask worker."""
        return self.worker.address

    @property
    def sites(self) -> frozenset[str]:
        """The sites of the Dask worker."""
        return self.worker.sites

    @property
    def name(self) -> str:
        """What tells it from others, for the dashboard."""
        return f"{self.worker.name}.{self.number}"


async def workers_of(client: Client) -> list[DaskWorker]:
    """Return the workers that the scheduler lists and that take work."""
    identity = await client.scheduler.identity(n_workers=-1)
    return [
        DaskWorker(
            address=address,
            name=str(each["name"]),
            resources=frozenset(each["resources"]),
            threads=max(1, each["nthreads"]),
        )
        for address, each in identity["workers"].items()
        if each["status"] == "running"
    ]


def slots_of(workers: Iterable[DaskWorker]) -> list[Slot]:
    """Return the slots: first one of each worker, then the second ones, and so on."""
    slots = [Slot(worker=worker, number=n) for worker in workers for n in range(worker.threads)]
    return sorted(slots, key=lambda slot: slot.number)


class DaskWorkplace:
    """Where the workers of a run are, when that is a Dask cluster. Used by one thread.

    A Dask worker that joins is used once its versions have been looked at. One that could not be
    retired, because of the outposts there, is given nothing more, and is retired as soon as they
    have ended.

    Args:
        client: a client of the cluster, with an event loop in a thread of its own.
        carrier: what carries the hosts in the worker processes.
        lease_s: how long an outpost lives on without a word from here.
        may_use: asked with the address of a Dask worker; one that may not be used is given nothing.
            None means that all may.
        on_close: called in the end.

    Raises `UsageError` when a Dask worker has other versions than this process.
    """

    patience_s = 30.0
    """A nanny starts a worker anew within a few seconds; a batch system takes longer than this."""

    def __init__(
        self,
        client: Client,
        carrier: str,
        *,
        lease_s: float,
        may_use: Callable[[str], bool] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._carrier = carrier
        self._lease_s = lease_s
        self._may_use = may_use
        self._on_close = on_close
        self._versions = Versions(client)
        self._slots: list[Slot] = []
        self._lines: dict[Slot, OutpostLine] = {}
        self._known: set[str] = set()
        self._doubtful: set[str] = set()
        self._leaving: set[str] = set()
        self._retiring: asyncio.Task[None] | None = None
        self._retirements = retirements_of(client)
        self._ways = Ways(client)
        client.sync(self._open)
        self._watch: Done[None] = self._start(self._look_now_and_then())

    # --- the supervisor's thread ---------------------------------------------------------------

    def openings(
        self, wanted: Mapping[Site, int], *, planned: int, hired: int
    ) -> Sequence[Opening]:
        """Return a start at a free slot for each job that no worker has room for, if there is."""
        del planned, hired
        free = dict.fromkeys(slot for slot in self._slots if self._is_free(slot))
        chosen: list[Slot] = []
        for site, jobs in wanted.items():
            for slot in [slot for slot in free if reaches(slot.sites, site)][: max(0, jobs)]:
                del free[slot]
                chosen.append(slot)
        return [partial(self.start, slot) for slot in chosen]

    def start(self, slot: Slot) -> Line:
        """Begin to start a worker process at a slot; raises `OSError` for a client's end."""
        try:
            line = OutpostLine(
                self._client, slot, self._carrier, self._lease_s, self._ways.to, self._forget
            )
        except RuntimeError as error:  # it has no loop any more
            raise OSError("the Dask client was closed") from error
        self._lines[slot] = line
        return line

    def serves(self, site: Site) -> bool:
        """Return whether a Dask worker of the site is there, and none of its was just lost."""
        return any(self._is_usable(slot) and reaches(slot.sites, site) for slot in self._slots)

    def close(self) -> None:
        """Stop looking, and close what was opened for this, and lines that nobody has."""
        for line in list(self._lines.values()):  # a Ctrl-C may have come between two steps
            line.hang_up()
        self._watch.cancel()
        with contextlib.suppress(Exception):  # the cluster may be gone by now
            self._client.sync(self._stop_listening, callback_timeout=3.0)
        if self._on_close is not None:
            self._on_close()

    def _is_free(self, slot: Slot) -> bool:
        return slot not in self._lines and self._is_usable(slot)

    def _is_usable(self, slot: Slot) -> bool:
        unusable = slot.address in self._doubtful or slot.address in self._leaving
        return not unusable and self._client.status == "running"

    def _start(self, work: Coroutine[Any, Any, None]) -> Done[None]:
        return asyncio.run_coroutine_threadsafe(work, self._client.loop.asyncio_loop)

    # --- the event loop of Dask's client; the lines may change meanwhile, so copies are looked at

    async def _open(self) -> None:
        await self._look(strict=True)
        await self._ways.open()

    async def _look_now_and_then(self) -> None:
        """Look until cancelled: in the end, or by the end of the client's loop."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                with contextlib.suppress(Exception):  # the scheduler is away: what runs goes on
                    await self._look(strict=False)
        finally:
            await self._ways.close()

    async def _look(self, *, strict: bool) -> None:
        """See who is there. Strictly, anybody who differs is an error; else he is not used."""
        doubtful = set(self._doubtful)
        workers = await workers_of(self._client)
        differing = await self._versions.differing(workers)
        if differing and strict:
            raise differences(differing)
        refused = {each.address: str(differences([each])) for each in differing}
        refused |= {
            worker.address: f"what is sent to {worker.address} would not be encrypted"
            for worker in workers
            if self._may_use is not None and not self._may_use(worker.address)
        }
        for address in refused.keys() - self._known:
            log.warning("not used: %s", refused[address])
        for address in {worker.address for worker in workers} - self._known:
            self._retirements.listen(address, self._is_to_leave)
        self._known |= {worker.address for worker in workers}
        self._slots = slots_of(worker for worker in workers if worker.address not in refused)
        self._doubtful -= doubtful

    def _is_to_leave(self, address: str) -> None:
        """Let those at a Dask worker that could not be retired finish what they have."""
        lines = [line for line in list(self._lines.values()) if line.slot.address == address]
        if lines:
            self._leaving.add(address)
        for line in lines:
            line.is_leaving = True

    def _forget(self, line: OutpostLine) -> None:
        """Note that a line is closed; retire its Dask worker if that was all that kept it."""
        address = line.slot.address
        del self._lines[line.slot]
        self._doubtful.add(address)  # until it was seen again: it may have died with the line
        others = any(slot.address == address for slot in list(self._lines))
        if address in self._leaving and not others:
            self._retiring = asyncio.create_task(self._retire(address))

    async def _retire(self, address: str) -> None:
        """Ask again for what was refused because of us, until the scheduler has let go of us."""
        with contextlib.suppress(OSError):
            for _ in range(_RETIRE_TRIES):
                if await self._client.retire_workers(workers=[address]):
                    return
                await asyncio.sleep(_RETIRE_PAUSE_S)

    async def _stop_listening(self) -> None:
        for address in self._known:
            self._retirements.ignore(address, self._is_to_leave)
        if self._retiring is not None:
            await self._retiring
