"""The actor on a Dask worker: it holds one worker process and relays bytes between it and home.

    OutpostLine ── get, put ──► Outpost ── socket pair ──► worker process
                ◄── replies ──         ◄──              ──

It runs in the event loop of the Dask worker, never blocks it, and reads nothing of what it relays.
The worker process ends when its socket is closed, so also when the Dask worker dies. The outpost
closes it when it has heard nothing of the run for as long as its lease, or when the scheduler has
let go of it: the run is over then, or its process is dead. Time in which the Dask worker stood
still does not count: what was said to it meanwhile is heard only after its clock.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, NamedTuple

from fleetrun.executors.mode import Carrier
from fleetrun.executors.process import WorkerProcess

if TYPE_CHECKING:
    from distributed import Worker

    from fleetrun.executors.cluster.farewell import Farewell

_MOST_POLL_S = 5.0
_POLLS_A_LEASE = 3

_MOST_GATHER_S = 0.1
_BUSY_BYTES = 4 * 1024
"""The least time between two answers is a tenth of a second after one of so many bytes or more, and
the less the smaller it was: what is said meanwhile goes with the next. An answer costs about 1.3 ms
of processor time at both ends together (measured), as much as half a host."""

_FULL_BYTES = 256 * 1024
"""No answer is larger by more than one piece."""
_MUCH_BYTES = 64 * 1024
"""After an answer as large as that the next is not held back: there is no lack of what to say."""

_TICK_S = 1.0


def poll_s(lease_s: float) -> float:
    """Return how long a question waits before it is answered that nothing was said.

    So long also is the silence after which a line gives a sign of life.
    """
    return min(_MOST_POLL_S, lease_s / _POLLS_A_LEASE)


class Reply(NamedTuple):
    """What an outpost answers.

    Attributes:
        data: what the worker process has said.
        is_leaving: whether the Dask worker is to close, and waits for what runs.
        ended: how the worker process ended, once that is all that is left to say; None before.
        is_all: whether it has then said nothing that was not heard here.
    """

    data: bytes
    is_leaving: bool
    ended: str | None
    is_all: bool


class Outpost:
    """A worker process at a Dask worker. Used by the Dask worker's event loop, but for its making.

    Pieces are numbered from 0 in each direction. A piece that comes again, since somebody along the
    way was not sure, is not taken twice, and what was asked for is answered once more.

    Args:
        carrier: what carries the hosts in the worker process.
        lease_s: after how many seconds of hearing nothing it ends the worker process.

    Raises `OSError` when the worker process cannot be started.
    """

    def __init__(self, carrier: str, lease_s: float) -> None:
        from distributed import get_worker  # noqa: PLC0415 (slow, and an extra)

        self._process = WorkerProcess(Carrier(carrier))
        self._dask_worker: Worker = get_worker()
        self._lease_s = lease_s
        self._poll_s = poll_s(lease_s)
        self._heard_at_s = time.monotonic()
        self._tick_due_s = math.inf
        self._was_held = False
        self._down_number = 0
        self._early: dict[int, bytes] = {}
        self._unsent = bytearray()
        self._up_number = 0
        self._reply = Reply(b"", is_leaving=False, ended=None, is_all=False)
        self._replied_at_s = 0.0
        self._answering = asyncio.Lock()
        self._news = asyncio.Event()
        self._is_open = True
        self._ended: str | None = None
        self._has_said_all = False
        self._is_leaving = False
        self._is_closed = asyncio.Event()
        self._farewell: Farewell | None = None
        self._ending: asyncio.Future[None] | None = None
        self._dask_worker.loop.add_callback(self._begin)

    # --- what the line calls -------------------------------------------------------------------

    async def get(self, number: int, down_number: int, data: bytes) -> Reply:
        """Return piece `number` of what the worker process says, and take a piece for it.

        Waits until there is something, `poll_s` at most. To ask for a piece is to confirm that all
        before it have come.

        Args:
            number: which piece: the last one again, or the next.
            down_number: the number of the piece for the worker process; -1 when there is none.
            data: that piece.
        """
        await self.put(down_number, data)
        if number > self._up_number and await self._is_news_within(self._poll_s):
            async with self._answering:
                if number > self._up_number:  # else it was asked twice at once
                    await self._answer(number)
        if number <= self._up_number:  # nobody waits for what was before the last one
            return self._reply
        return Reply(b"", self._is_leaving, None, is_all=False)

    async def put(self, number: int, data: bytes) -> None:
        """Take a piece for the worker process; those that are before their turn wait."""
        self._heard_at_s = time.monotonic()
        if number < self._down_number:
            return
        self._early[number] = data
        while (piece := self._early.pop(self._down_number, None)) is not None:
            self._unsent += piece
            self._down_number += 1
        self._send()

    async def kill(self) -> None:
        """End the worker process by force; what it said before can still be got."""
        self._process.kill()

    async def close(self) -> None:
        """End the worker process by closing its socket, and wait; safe to call twice."""
        if self._close():
            await asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    # --- between the socket and the line -------------------------------------------------------

    def _begin(self) -> None:
        self._listen()
        self._tick()
        self._dask_worker.loop.add_callback(self._be_missed)

    async def _is_news_within(self, seconds: float) -> bool:
        """Wait for something to say, and for more to go with it if an answer was just given."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        early_s = self._replied_at_s + self._gather_s() - time.monotonic()
        if early_s > 0 and self._ended is None:
            await asyncio.sleep(early_s)
        return True

    def _gather_s(self) -> float:
        """Return how long after the last answer the next may come, at the earliest."""
        last_bytes = len(self._reply.data)
        if last_bytes >= _MUCH_BYTES:
            return 0.0
        return _MOST_GATHER_S * min(1.0, last_bytes / _BUSY_BYTES)

    async def _answer(self, number: int) -> None:
        """Make what was said up to now the piece of that number, if anything was."""
        said = b"" if self._ended is not None else await self._read()
        if said or self._ended is not None:
            self._up_number = number
            self._reply = Reply(said, self._is_leaving, self._ended, self._has_said_all)
        self._replied_at_s = time.monotonic()
        if self._is_open:
            self._news.clear()
            self._listen()

    def _listen(self) -> None:
        """Have it heard when there is something to read, which waits in the socket until then.

        So a hundred messages of the worker process wake this one once.
        """
        asyncio.get_running_loop().add_reader(self._process.fileno(), self._prick_up)

    def _prick_up(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.fileno())
        self._news.set()

    async def _read(self) -> bytes:
        """Return what there is to read, as much as goes with one answer; note when it was all."""
        said = bytearray()
        while len(said) < _FULL_BYTES:
            try:
                piece = self._process.receive()
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            if not piece:
                self._has_said_all = True
                self._hang_up()
                loop = asyncio.get_running_loop()
                self._ended = await loop.run_in_executor(None, self._process.wait)
                break
            said += piece
        return bytes(said)

    def _send(self) -> None:
        if not self._is_open:
            return
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                del self._unsent[: self._process.send(self._unsent)]
        except BlockingIOError:
            loop.add_writer(self._process.fileno(), self._send)
            return
        except OSError:  # it died, which is read
            self._unsent.clear()
        loop.remove_writer(self._process.fileno())

    def _hang_up(self) -> None:
        self._is_open = False
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._process.fileno())
        loop.remove_writer(self._process.fileno())
        self._process.hang_up()

    def _close(self) -> bool:
        """Close the socket if it is open; return whether it was."""
        was_open = self._is_open
        if was_open:
            self._ended = "it was hung up on"
            self._hang_up()
        self._news.set()
        self._is_closed.set()
        if self._farewell is not None:
            self._farewell.outposts.discard(self)
        return was_open

    def _tick(self) -> None:
        """Look whether anybody still wants this, and again in a second."""
        now_s = time.monotonic()
        self._heard_at_s += max(0.0, now_s - self._tick_due_s)  # while all stood still
        silent_s = now_s - self._heard_at_s
        if self._is_closed.is_set():
            return
        if silent_s > self._lease_s or self._is_released(silent_s):
            self._ending = asyncio.ensure_future(self.close())
            return
        self._tick_due_s = now_s + _TICK_S
        asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _is_released(self, silent_s: float) -> bool:
        """Whether the scheduler has let go of it, so that nobody can call it any more."""
        is_held = any(actor is self for actor in self._dask_worker.state.actors.values())
        self._was_held |= is_held
        return not is_held and (self._was_held or silent_s > 2 * self._poll_s)

    # --- when the Dask worker leaves -----------------------------------------------------------

    async def _be_missed(self) -> None:
        """Have the Dask worker's closing wait for what runs here."""
        from fleetrun.executors.cluster.farewell import farewell_of  # noqa: PLC0415 (imports Dask)

        self._farewell = await farewell_of(self._dask_worker)
        self._farewell.outposts.add(self)

    async def leave(self) -> None:
        """Say that nothing more is to come, and wait until all that runs has ended."""
        self._is_leaving = True
        self._news.set()
        await self._is_closed.wait()
