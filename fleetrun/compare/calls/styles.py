"""The styles: the same command on the same hosts, called for in each way that there is.

synchronous     one by one, exec     the call returns with the result
asynchronous    wait                 called at once, waited for together
                poll                 looked at again and again
                as_completed         told by waking up
                callbacks            told by being called
                aexec, astream       told by the event loop

The fleets are closed and not entered: an entered one keeps its sessions open for the next call, and
here there is none.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from concurrent.futures import Future, as_completed, wait
from contextlib import aclosing, closing
from dataclasses import dataclass
from functools import partial

from fleetrun.compare.calls.caller import TICK_S, Caller
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is called for.

    Attributes:
        hosts: the hosts.
        command: what each of them runs.
        fleet: makes a fleet of some of the hosts, in the mode and width of the run.
    """

    hosts: Sequence[Host]
    command: str
    fleet: Callable[[Sequence[Host]], Fleet]


Style = Callable[[Caller, Work], None]
"""Does the work, and lets the caller know each result."""


def one_by_one(caller: Caller, work: Work) -> None:
    """Submit a host, wait for its result, and only then submit the next.

    `Fleet.submit` begins all hosts of its fleet, so this takes a fleet for each host, of the same
    width as all others: however wide it is, one host at a time is all it gets.
    """
    for host in work.hosts:
        with closing(work.fleet([host])) as fleet:
            with caller.held():
                (future,) = fleet.submit(work.command).values()
                result = future.result()
            caller.knows(result)


def whole(caller: Caller, work: Work) -> None:
    """Call `Fleet.exec`, which returns when the last host has ended."""
    with closing(work.fleet(work.hosts)) as fleet:
        with caller.held():
            report = fleet.exec(work.command)
        for result in report:
            caller.knows(result)


def all_then_wait(caller: Caller, work: Work) -> None:
    """Submit all, and wait for all."""
    with closing(work.fleet(work.hosts)) as fleet:
        with caller.held():
            done, _ = wait(fleet.submit(work.command).values())
        for future in done:
            caller.knows(future.result())


def polling(interval_s: float, caller: Caller, work: Work) -> None:
    """Submit all, go about own work, and look every interval_s seconds which are done."""
    with closing(work.fleet(work.hosts)) as fleet:
        with caller.held():
            waiting = list(fleet.submit(work.command).values())
        while waiting:
            caller.looks += 1
            with caller.held():
                done = [future for future in waiting if future.done()]
            for future in done:
                waiting.remove(future)
                caller.knows(future.result())
            caller.work_for(interval_s if waiting else 0.0)


def notified(caller: Caller, work: Work) -> None:
    """Submit all, and be woken for each that is done."""
    with closing(work.fleet(work.hosts)) as fleet:
        with caller.held():
            done = as_completed(fleet.submit(work.command).values())
            future = next(done, None)
        while future is not None:
            caller.knows(future.result())
            with caller.held():
                future = next(done, None)


def called_back(caller: Caller, work: Work) -> None:
    """Submit all, hang a callback on each, and go about own work until the last one has come."""
    all_known = threading.Event()

    def on_done(future: Future[Result]) -> None:
        caller.knows(future.result())
        if len(caller.results) == len(work.hosts):
            all_known.set()

    with closing(work.fleet(work.hosts)) as fleet:
        with caller.held():
            for future in fleet.submit(work.command).values():
                future.add_done_callback(on_done)
        caller.work_until(all_known)


def awaited(caller: Caller, work: Work) -> None:
    """Await `Fleet.aexec` in an asyncio program that goes on with its own task."""

    async def call(fleet: Fleet) -> None:
        for result in await fleet.aexec(work.command):
            caller.knows(result)

    with closing(work.fleet(work.hosts)) as fleet:
        _beside_ticks(caller, call(fleet))


def streamed(caller: Caller, work: Work) -> None:
    """Iterate over `Fleet.astream` in such a program."""

    async def call(fleet: Fleet) -> None:
        with caller.held():
            results: AsyncGenerator[Result, None] = fleet.astream(work.command)
        async with aclosing(results):
            async for result in results:
                caller.knows(result)

    with closing(work.fleet(work.hosts)) as fleet:
        _beside_ticks(caller, call(fleet))


def _beside_ticks(caller: Caller, call: Coroutine[None, None, None]) -> None:
    """Run an event loop with the call in it, and the caller's own work as another task."""
    import asyncio  # noqa: PLC0415 (slow, and only these styles need it)

    async def work() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            caller.tick()

    async def both() -> None:
        own = asyncio.create_task(work())
        try:
            await call
        finally:
            own.cancel()

    asyncio.run(both())


STYLES: dict[str, Style] = {
    "one by one": one_by_one,
    "exec": whole,
    "wait": all_then_wait,
    "poll without pause": partial(polling, 0.0),
    "poll 1 ms": partial(polling, 0.001),
    "poll 10 ms": partial(polling, 0.01),
    "poll 100 ms": partial(polling, 0.1),
    "as_completed": notified,
    "callbacks": called_back,
    "aexec": awaited,
    "astream": streamed,
}
"""By the name that is shown, in the order in which they are measured."""
