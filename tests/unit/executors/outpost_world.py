"""An outpost and the line to it without Dask: calls that a test breaks as it likes.

    test ─► OutpostLine ─► Calls (lost, late, repeated …) ─► Outpost ─► a socket: the test again

The line and the outpost are the real ones. They run in one event loop, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

import pytest

from fleetrun.executors.cluster import line as line_module
from fleetrun.executors.cluster import outpost as outpost_module
from fleetrun.executors.cluster.line import OutpostLine
from fleetrun.executors.cluster.outpost import Outpost
from fleetrun.executors.cluster.workplace import DaskWorker, Slot

PATIENCE_S = 20.0

Once = Callable[[], Awaitable[Any]]
"""Makes a call of the outpost, as often as it is called."""

Way = Callable[[str, Once], Awaitable[Any]]
"""How a call travels: given the method's name."""


async def surely(method: str, once: Once) -> Any:  # noqa: ANN401 (what the outpost returns)
    """Let every call through, once and at once."""
    del method
    return await once()


class Badly:
    """A way on which calls are lost, answers are lost, and both come late and twice.

    Args:
        seed: what chance begins with.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._stray: set[asyncio.Task[Any]] = set()

    async def __call__(self, method: str, once: Once) -> Any:  # noqa: ANN401 (likewise)
        """Let a call through, or not."""
        del method
        fate = self._random.choice(["well", "well", "unheard", "unanswered", "twice", "late"])
        await self._pause()
        if fate == "unheard":
            raise OSError("the call was lost")
        if fate in {"twice", "late"}:
            stray = asyncio.ensure_future(self._late(once))
            self._stray.add(stray)
            stray.add_done_callback(self._stray.discard)
        if fate == "late":
            raise OSError("the connection was lost, after the call was sent")
        answer = await once()
        await self._pause()
        if fate == "unanswered":
            raise OSError("the answer was lost")
        return answer

    async def _late(self, once: Once) -> None:
        for _ in range(self._random.choice([1, 4, 16])):
            await self._pause()
        await once()

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.choice([0.0, 0.0, 0.001, 0.003]))


class Process:
    """A worker process's place: the test speaks for it over `socket`.

    Attributes:
        socket: its end.
        killed: whether it was ended by force, which closes its end.
    """

    def __init__(self) -> None:
        self._ours, self.socket = socket.socketpair()
        self._ours.setblocking(False)
        self.killed = False

    def fileno(self) -> int:
        """Return the descriptor of the outpost's end."""
        return self._ours.fileno()

    def send(self, data: bytearray) -> int:
        """Send as much as the socket takes, but in small pieces."""
        return self._ours.send(data[:1000])

    def receive(self) -> bytes:
        """Return what there is, in small pieces."""
        return self._ours.recv(1000)

    def kill(self) -> None:
        """End it."""
        self.killed = True
        self.socket.close()

    def hang_up(self) -> None:
        """Close the outpost's end."""
        self._ours.close()

    def wait(self) -> str:
        """Say how it ended."""
        return "killed by SIGKILL" if self.killed else "exit status 0"


class World:
    """A Dask cluster's place: a client, one worker, and what is between them.

    Attributes:
        way: how calls travel; may be changed at any time.
        process: the worker process.
        outpost: the outpost, once it was made.
        status: what Dask says of it.
        may_be_made: until it is set, the client does not hear that the outpost was made.
    """

    def __init__(self, way: Way) -> None:
        self.way = way
        self.process = Process()
        self.process.socket.settimeout(PATIENCE_S)
        self.status = "finished"
        self.may_be_made = threading.Event()
        self.may_be_made.set()
        self.outpost: Outpost | None = None
        self.actors: dict[str, Outpost] = {}
        self.state = SimpleNamespace(actors=self.actors)
        self._aio = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._aio.run_forever, daemon=True)
        self._thread.start()
        self.loop = SimpleNamespace(asyncio_loop=self._aio, add_callback=self._add_callback)

    def _add_callback(self, function: Callable[[], Any]) -> None:
        def call() -> None:
            if asyncio.iscoroutine(made := function()):
                self._task = self._aio.create_task(made)

        self._aio.call_soon_threadsafe(call)

    def submit(self, made: type[Outpost], carrier: str, lease_s: float, **options: Any) -> Any:  # noqa: ANN401 (as Dask's)
        """Make the outpost, as Dask's client does."""
        self.outpost = self.actors[options["key"]] = made(carrier, lease_s)
        return _Made(self, options["key"])

    def rpc(self, address: str) -> Self:
        """Return what calls are made of."""
        del address
        return self

    async def actor_execute(
        self, *, function: str, actor: str, args: list[Any], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Call the outpost, in whatever way."""
        plain = [getattr(arg, "data", arg) for arg in args]

        async def once() -> Any:  # noqa: ANN401 (what it returns)
            return await getattr(self.actors[actor], function)(*plain, **kwargs)

        return {"status": "OK", "result": await self.way(function, once)}

    async def plugin_add(self, plugin: object, name: str) -> None:
        """Take a plugin, as Dask's worker does."""
        del plugin, name

    def in_loop(self, function: Callable[[], Any]) -> Any:  # noqa: ANN401 (what it returns)
        """Call the function in the loop and return what it returns."""

        async def call() -> Any:  # noqa: ANN401 (likewise)
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._aio).result(PATIENCE_S)

    def close(self) -> None:
        """End the loop, and what is in it."""
        asyncio.run_coroutine_threadsafe(self._end_all(), self._aio).result(PATIENCE_S)
        self._aio.call_soon_threadsafe(self._aio.stop)
        self._thread.join()
        self._aio.run_until_complete(self._aio.shutdown_default_executor())
        self._aio.close()
        self.process.socket.close()

    async def _end_all(self) -> None:
        if self.outpost is not None:
            await self.outpost.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Made:
    """Dask's future of the outpost."""

    def __init__(self, world: World, key: str) -> None:
        self.key = key
        self._world = world

    @property
    def status(self) -> str:
        return self._world.status

    async def exception(self) -> None:
        while not self._world.may_be_made.is_set():  # noqa: ASYNC110 (it is another thread's)
            await asyncio.sleep(0.001)


@contextmanager
def world(monkeypatch: pytest.MonkeyPatch, way: Way = surely) -> Iterator[World]:
    """Yield a world in which nothing waits for long."""
    made = World(way)
    monkeypatch.setattr("distributed.get_worker", lambda: made)
    monkeypatch.setattr(outpost_module, "WorkerProcess", lambda carrier: made.process)  # noqa: ARG005
    for module in (outpost_module, line_module):
        monkeypatch.setattr(module, "poll_s", lambda lease_s: min(0.02, lease_s / 3))
    monkeypatch.setattr(outpost_module, "_MOST_GATHER_S", 0.002)
    monkeypatch.setattr(outpost_module, "_TICK_S", 0.02)
    monkeypatch.setattr(line_module, "_AGAIN_S", 0.001)
    try:
        yield made
    finally:
        made.close()


def line_in(world: World, *, lease_s: float = PATIENCE_S) -> OutpostLine:
    """Return a line to an outpost there."""
    there = DaskWorker(address="tcp://w", name="w", resources=frozenset(), threads=1)
    slot = Slot(worker=there, number=0)
    client: Any = world
    return OutpostLine(client, slot, "threads", lease_s, world.rpc, lambda line: None)  # noqa: ARG005


def until_end(line: OutpostLine) -> bytes:
    """Return all that comes up the line."""
    heard = b""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            piece = line.receive()
        except BlockingIOError:
            time.sleep(0.001)
            continue
        if not piece:
            return heard
        heard += piece
    raise AssertionError(f"no end after {len(heard)} bytes")
