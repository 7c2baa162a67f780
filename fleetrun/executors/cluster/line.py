"""The line to a worker process at an outpost, over calls of the actor.

    send ─► bytes ─► _carry_down ─► put, or with the next get ─► Outpost
    receive ◄── socket pair ◄── _carry_up ◄── get, again and again ◄──┘

The calls are made in the event loop of Dask's client; the supervisor's thread sees a socket pair.
While it does not read, the pair fills up, no more is asked for, and in the end the hosts wait.

Each piece has a number, so that a call that was broken off can be made again: what it said is not
said twice. When calls do not come through for as long as the lease, the outpost has ended its
worker process, or Dask has lost it; how far that had come is not known then.

Bounds are set by `asyncio.timeout`, since `wait_for` of Python 3.11 drops a cancel that comes when
what it waits for is just done.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import Future as Done
from typing import TYPE_CHECKING, Any

from fleetrun.executors.cluster.outpost import Outpost, Reply, poll_s
from fleetrun.executors.wire import CHUNK_BYTES

if TYPE_CHECKING:
    from distributed import Client, Future

    from fleetrun.executors.cluster.workplace import Slot

_OPEN_BOUND_S = 20.0
"""How long the making of an outpost may take: a Dask worker may have other tasks."""
_PAUSE_S = 0.005
"""How long to wait for words to go along, once something came up: jobs for those that finished."""
_AGAIN_S = 0.2
_CLOSE_BOUND_S = 1.5
_KILL_BOUND_S = 2.0
_CLIENT_CLOSED = "the Dask client was closed"


class _Gone(Exception):
    """The outpost cannot be talked to any more; the message is a clause."""


class OutpostLine:
    """A worker process at an outpost, and the `Line` to it. Its making waits for nothing.

    Args:
        client: Dask's client.
        slot: where the outpost is to be.
        carrier: what carries the hosts.
        lease_s: after how many seconds of silence both ends give each other up.
        way_to: returns what carries calls to the Dask worker at an address.
        on_closed: told when the line has been closed and nothing of it is left.
    """

    def __init__(
        self,
        client: Client,
        slot: Slot,
        carrier: str,
        lease_s: float,
        way_to: Callable[[str], Any],
        on_closed: Callable[[OutpostLine], None],
    ) -> None:
        self.slot = slot
        self.is_leaving = False
        self.is_exact = True
        self.departed_bytes = 0
        self._client = client
        self._lease_s = lease_s
        self._sign_s = poll_s(lease_s)
        self._way_to = way_to
        self._on_closed = on_closed
        self._ended = _CLIENT_CLOSED
        self._unsent = bytearray()
        self._unsent_lock = threading.Lock()
        self._down_number = 0
        self._is_waiting_for_words = False
        self._outpost: Future | None = None
        self._is_made = False
        self._is_over = asyncio.Event()
        self._heard_at_s = time.monotonic()
        self._loop: asyncio.AbstractEventLoop = client.loop.asyncio_loop
        self._words = asyncio.Event()
        self._socket, self._theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._theirs.setblocking(False)
        self._work = self._start(self._talk(carrier))
        self._closing: Done[None] | None = None

    @property
    def sites(self) -> frozenset[str]:
        """The sites of the Dask worker."""
        return self.slot.sites

    # --- the supervisor's thread ---------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor of this end of the socket pair."""
        return self._socket.fileno()

    def send(self, data: bytearray) -> int:
        """Take all of it."""
        if self._work.done():
            raise OSError(self._ended)
        with self._unsent_lock:
            self._unsent += data
        try:
            self._loop.call_soon_threadsafe(self._words.set)
        except RuntimeError as error:
            raise OSError(_CLIENT_CLOSED) from error
        return len(data)

    def receive(self) -> bytes:
        """Return what there is, up to 256 KiB."""
        return self._socket.recv(CHUNK_BYTES)

    def kill(self) -> None:
        """Have the outpost kill it; if that cannot be asked, give it up before long."""
        self._start(self._kill())

    def hang_up(self) -> None:
        """Have the outpost end it, and forget the outpost."""
        if self._closing is None:
            self._socket.close()
            self._closing = self._start(self._close())

    def wait(self) -> str:
        """Wait until it was hung up on there, and return how it ended."""
        if self._closing is not None:
            with contextlib.suppress(TimeoutError, CancelledError):  # cancelled: the loop ended
                self._closing.result(_CLOSE_BOUND_S + 0.5)
        return self._ended

    def _start(self, work: Coroutine[Any, Any, None]) -> Done[None]:
        """Have it done in the client's loop; when that has ended, so has all that it did."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            self._theirs.close()
            done: Done[None] = Done()
            done.set_result(None)
            return done

    # --- the event loop of Dask's client -------------------------------------------------------

    async def _talk(self, carrier: str) -> None:
        """Make the outpost and carry bytes both ways until the end."""
        down: asyncio.Task[None] | None = None
        try:
            await self._open(carrier)
            down = asyncio.create_task(self._carry_down())
            await self._carry_up()
        except _Gone as gone:
            self._ended = str(gone)
        finally:
            if down is not None:
                down.cancel()
            self._is_over.set()
            self._theirs.close()

    async def _open(self, carrier: str) -> None:
        self._outpost = self._client.submit(
            Outpost,
            carrier,
            self._lease_s,
            actor=True,
            pure=False,
            workers=[self.slot.address],
            allow_other_workers=False,
            key=f"fleetrun-{self.slot.name}-{id(self):x}-{time.time_ns():x}",
        )
        try:
            async with asyncio.timeout(_OPEN_BOUND_S):
                await self._await_made(self._outpost)
        except TimeoutError as error:
            late = f"{self.slot.address} did not start it within {_OPEN_BOUND_S:g} s"
            raise _Gone(late) from error
        self._is_made = True
        self.is_exact = False  # until all was heard

    async def _await_made(self, outpost: Future) -> None:
        """Wait for the outpost to be made.

        Not for the future's result, which Dask fetches for many at once: who stops waiting for his
        stops it for all.
        """
        error = await outpost.exception()
        if error is not None:
            raise _Gone(f"{self.slot.address}: {type(error).__name__}: {error}")
        if outpost.status != "finished":
            raise _Gone(f"{self.slot.address} was lost before it was started")

    async def _carry_up(self) -> None:
        number = 1
        while True:
            reply = await self._get(number)
            self.is_leaving |= reply.is_leaving
            if reply.data:
                await self._loop.sock_sendall(self._theirs, reply.data)
            if reply.ended is not None:
                self._ended, self.is_exact = reply.ended, reply.is_all
                return
            if reply.data:
                number += 1
                await self._wait_for_words()

    async def _get(self, number: int) -> Reply:
        reply: Reply = await self._call("get", number, *self._next_piece())
        return reply

    async def _wait_for_words(self) -> None:
        """Wait a little for what the supervisor says to what it has just heard."""
        self._is_waiting_for_words = True
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PAUSE_S):
                    await self._words.wait()
        finally:
            self._is_waiting_for_words = False

    async def _carry_down(self) -> None:
        """Send what comes while nothing comes up, and, while nobody reads, signs of life."""
        with contextlib.suppress(_Gone):  # heard by the one who asks, too
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._sign_s):
                        await self._words.wait()
                if self._is_waiting_for_words:
                    await asyncio.sleep(_PAUSE_S)  # it goes with the next question
                elif self._words.is_set() or time.monotonic() > self._heard_at_s + self._sign_s:
                    await self._call("put", *self._next_piece())

    def _next_piece(self) -> tuple[int, bytes]:
        """Return the number of the next piece for the worker, and it; -1 when there is none."""
        self._words.clear()
        with self._unsent_lock:
            data = bytes(self._unsent)
            self._unsent.clear()
            self.departed_bytes += len(data)
        if not data:
            return -1, b""
        self._down_number += 1
        return self._down_number - 1, data

    async def _call(self, method: str, *args: object) -> Any:  # noqa: ANN401 (what it returns)
        """Call the outpost, and again while it is not sure that the call came through."""
        while True:
            try:
                async with asyncio.timeout(self._left_s()):
                    answer = await self._call_once(method, *args)
            except (OSError, KeyError) as error:  # no connection or no answer; no such worker
                await asyncio.sleep(_AGAIN_S)  # in which Dask may hear why
                if self._is_lost() or self._left_s() <= 0:
                    raise _Gone(f"nothing is heard any more of {self.slot.address}") from error
            except Exception as error:
                raise _Gone(f"{self.slot.address} has lost it: {error}") from error
            else:
                self._heard_at_s = time.monotonic()
                return answer

    async def _call_once(self, method: str, *args: object) -> Any:  # noqa: ANN401 (likewise)
        """Call the outpost as Dask's own proxy of an actor would, which calls twice if in doubt.

        And that one gives up when the scheduler is gone, while the workers could finish.
        """
        from distributed.protocol import to_serialize  # noqa: PLC0415 (slow, and an extra)

        assert self._outpost is not None  # noqa: S101 (it was made)
        answer = await self._way_to(self.slot.address).actor_execute(
            function=method,
            actor=self._outpost.key,
            args=[to_serialize(arg) for arg in args],
            kwargs={},
        )
        if answer["status"] != "OK":
            raise answer["exception"]
        return answer["result"]

    def _left_s(self) -> float:
        return self._heard_at_s + self._lease_s + self._sign_s - time.monotonic()

    def _is_lost(self) -> bool:
        """Whether Dask says that the outpost, or all that could say so, is gone."""
        return self._outpost is None or self._outpost.status != "finished"

    async def _kill(self) -> None:
        with contextlib.suppress(Exception):  # whatever stands in the way: it is given up then
            async with asyncio.timeout(_KILL_BOUND_S):
                await self._call_once("kill")
            async with asyncio.timeout(_KILL_BOUND_S):
                await self._is_over.wait()
        if not self._is_over.is_set():
            self._ended = f"{self.slot.address} could not be asked to end it"
            self._work.cancel()

    async def _close(self) -> None:
        self._work.cancel()
        if self._outpost is not None:
            with contextlib.suppress(Exception):  # it ends by itself before long
                async with asyncio.timeout(_CLOSE_BOUND_S):
                    await self._await_made(self._outpost)
                    await self._call_once("close")
        self._outpost = None
        self._on_closed(self)
