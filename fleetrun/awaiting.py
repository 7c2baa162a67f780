"""A call on a fleet, awaited by an asyncio program. Layer 6 of the road.

    event loop ── next? ──► Lane: the run, stepped by its own thread
        ▲                     │
        └────── result ───────┘

The run is stepped only when the program asks for the next result, as with `Fleet.stream`. So a
program that stops asking begins no other host, and nothing piles up.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TypeVar

from fleetrun.calls import Call, results_among
from fleetrun.executors.futures import Lane
from fleetrun.results import Result

T = TypeVar("T")


async def results_of(make_call: Callable[[], Call]) -> AsyncGenerator[Result, None]:
    """Make the call and yield its results, as hosts finish; the event loop is never blocked.

    When the task that waits is cancelled, or the generator is closed, the call is cancelled and
    its end awaited; a second cancel meanwhile leaves it to end by itself.
    """
    lane = Lane()
    try:
        call = await _in(lane, make_call)
        results = results_among(call.events)
        try:
            while (result := await _in(lane, partial(next, results, None))) is not None:
                yield result
        finally:
            call.cancel()  # so that the step that is under way ends soon
            await _to_its_end(lane, results.close)
    finally:
        lane.close()


async def _in(lane: Lane, function: Callable[[], T]) -> T:
    """Call the function in the lane and await what it returns."""
    import asyncio  # noqa: PLC0415 (slow; whoever awaits has imported it)

    return await asyncio.wrap_future(lane.call(function))


async def _to_its_end(lane: Lane, function: Callable[[], None]) -> None:
    """Call the function in the lane and await its end; being cancelled here does not stop it."""
    import asyncio  # noqa: PLC0415 (likewise)

    await asyncio.shield(asyncio.wrap_future(lane.call(function)))
