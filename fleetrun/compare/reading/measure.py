"""Has each model read the sessions, and streams from few to many, and collects what that took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleetrun.compare.program import Program
from fleetrun.compare.reading.calls import SystemCalls
from fleetrun.compare.reading.explain import explain
from fleetrun.compare.reading.models import MODELS, Model, Unavailable
from fleetrun.compare.reading.sources import Source, connected_streams
from fleetrun.compare.switches import voluntary_switches
from fleetrun.errors import UsageError
from fleetrun.executors.limits import affordable
from fleetrun.findings.reading import ReadFindings, ReadRun
from fleetrun.hosts import Host

SESSIONS, STREAMS = "sessions", "streams"
GREENLETS = "gevent"

_FEED = Path(__file__).with_name("feed.py")
_GREENLETS = Path(__file__).with_name("greenlets.py")

Tell = Callable[[str], None]


def measure_reading(hosts: Sequence[Host], sizes: Sequence[int], *, tell: Tell) -> ReadFindings:
    """Read the output of a session on each host in each model, then of streams; return all of it.

    Args:
        hosts: where the sessions are; they need a shell.
        sizes: how many streams, one number after the other.
        tell: takes a sentence about what comes next.

    Raises `UsageError` for more streams than this process may hold open, and what logging in
    raises. Signals are tried in the main thread alone.
    """
    if affordable(max(sizes), descriptors_each=1) < max(sizes):
        raise UsageError(f"the limit on open files is too low for {max(sizes)} streams (ulimit -n)")
    runs = [*_of_sessions(hosts, tell), *_of_streams(sizes, tell)]
    return ReadFindings(runs=tuple(runs), says=explain(runs))


def _of_sessions(hosts: Sequence[Host], tell: Tell) -> Iterator[ReadRun]:
    from fleetrun.compare.reading.sessions import Sessions  # noqa: PLC0415 (SSH is slow)

    tell(f"{len(hosts)} sessions are opened")
    with Sessions(hosts) as sessions:
        for name, model in MODELS.items():
            tell(f"{len(hosts)} sessions: {name}")
            with sessions.sources() as sources:
                began_s = time.monotonic()
                for source in sources:
                    source.go()
                yield _run(name, SESSIONS, sources, _read(model, sources), began_s)
    problem = "gevent stays out of the process in which the sessions are open"
    yield ReadRun(model=GREENLETS, source=SESSIONS, count=len(hosts), problem=problem)


def _of_streams(sizes: Sequence[int], tell: Tell) -> Iterator[ReadRun]:
    with Program(_FEED) as feed:
        port = int(feed.line())
        for size in sizes:
            for name, model in MODELS.items():
                tell(f"{size} streams: {name}")
                feed.tell(str(size))
                with connected_streams(port, size) as sources:
                    feed.line()
                    feed.tell("go")
                    taken = _read(model, sources)
                    yield _run(name, STREAMS, sources, taken, float(feed.line()))
            tell(f"{size} streams: {GREENLETS}")
            yield _in_greenlets(feed, port, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """What the reading took; or why there was none."""

    cpu_seconds: float
    wake_ups: int | None
    calls: SystemCalls
    problem: str | None


def _read(model: Model, sources: Sequence[Source]) -> _Taken:
    """Let the model read all sources to their ends."""
    calls, problem = SystemCalls(), None
    cpu_s, switches = time.thread_time(), voluntary_switches()
    try:
        model(sources, calls)
    except Unavailable as error:
        problem = str(error)
    now = voluntary_switches()
    return _Taken(
        cpu_seconds=time.thread_time() - cpu_s,
        wake_ups=None if now is None or switches is None else now - switches,
        calls=calls,
        problem=problem,
    )


def _run(
    model: str, source: str, sources: Sequence[Source], taken: _Taken, began_s: float
) -> ReadRun:
    if taken.problem is not None:
        return ReadRun(model=model, source=source, count=len(sources), problem=taken.problem)
    seen = [(each.first_s, each.last_s, each.size_bytes) for each in sources]
    return ReadRun(
        model=model,
        source=source,
        count=len(sources),
        calls=dict(taken.calls.made),
        in_vain=taken.calls.in_vain,
        wake_ups=taken.wake_ups,
        cpu_seconds=taken.cpu_seconds,
        **_times(seen, began_s),
    )


def _times(
    seen: Sequence[tuple[float | None, float | None, int]], began_s: float
) -> dict[str, Any]:
    """Return the fields that say when the bytes were read, and how many."""
    firsts = [first_s - began_s for first_s, _, _ in seen if first_s is not None]
    lasts = [last_s - began_s for _, last_s, _ in seen if last_s is not None]
    return {
        "first_p50_seconds": statistics.median(firsts or [0.0]),
        "first_max_seconds": max(firsts, default=0.0),
        "last_max_seconds": max(lasts, default=0.0),
        "bytes_read": sum(size for _, _, size in seen),
    }


def _in_greenlets(feed: Program, port: int, size: int) -> ReadRun:
    """Have the streams read by greenlets, in the program that does so."""
    feed.tell(str(size))
    with Program(_GREENLETS, port, size) as reader:
        feed.line()
        reader.line()
        reader.tell("go")
        feed.tell("go")
        told = reader.answer()
        began_s = float(feed.line())
    seen = told.pop("readers")
    return ReadRun(model=GREENLETS, source=STREAMS, count=size, **told, **_times(seen, began_s))
