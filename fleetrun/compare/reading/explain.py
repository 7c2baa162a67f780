"""What the I/O models took, and how that grew, in sentences computed from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.compare.quantities import duration, listed, times
from fleetrun.findings.reading import ReadRun

_MULTIPLEXING = ("select", "poll", "epoll", "kqueue")


def explain(runs: Sequence[ReadRun]) -> str:
    """Return what the figures show: of the most streams, how it grew, and of the sessions."""
    streams = [run for run in runs if run.source == "streams" and run.problem is None]
    counts = [run.count for run in streams] or [0]
    most, fewest = _of_count(streams, max(counts)), _of_count(streams, min(counts))
    sentences = (
        *_blocking(most),
        *_polling(most),
        *_told(most),
        *_growth(fewest, most),
        *_signals(fewest, most),
        *_sessions(runs, streams),
    )
    return " ".join(sentences)


def _of_count(runs: Sequence[ReadRun], count: int) -> dict[str, ReadRun]:
    """Return the runs with that many streams, by model."""
    return {run.model: run for run in runs if run.count == count}


def _best(runs: dict[str, ReadRun]) -> ReadRun | None:
    """Return the run of the best multiplexing that the system has."""
    return next((runs[name] for name in reversed(_MULTIPLEXING) if name in runs), None)


def _blocking(most: dict[str, ReadRun]) -> Iterator[str]:
    best, blocking = _best(most), most.get("blocking")
    if best and blocking:
        yield (
            f"Of {blocking.count:,} streams, blocking reads in turn saw half of the first bytes "
            f"after {duration(blocking.first_p50_seconds)}, which {best.model} saw after "
            f"{duration(best.first_p50_seconds)}: a thread that is suspended in one stream hears "
            f"nothing of the others. It is cheap all the same ({blocking.system_calls:,} system "
            f"calls, {duration(blocking.cpu_seconds)} of processor time), since the kernel keeps "
            "what has come."
        )


def _polling(most: dict[str, ReadRun]) -> Iterator[str]:
    busy, paused = most.get("polling"), most.get("polling 10 ms")
    if busy and paused:
        share = busy.in_vain / max(1, busy.system_calls)
        yield (
            f"Polling made {busy.system_calls:,} system calls, {share:.1%} of them for nothing, "
            f"and used {duration(busy.cpu_seconds)} of processor time; with a pause of 10 ms "
            f"{paused.system_calls:,} calls and {duration(paused.cpu_seconds)}."
        )


def _told(most: dict[str, ReadRun]) -> Iterator[str]:
    names = [name for name in (*_MULTIPLEXING, "asyncio", "gevent") if name in most]
    told = [
        f"{name} {most[name].system_calls:,} and {duration(most[name].cpu_seconds)}"
        for name in names
    ]
    if told:
        yield f"Asking the kernel which are ready took, in calls and in time, {listed(told)}."


def _growth(fewest: dict[str, ReadRun], most: dict[str, ReadRun]) -> Iterator[str]:
    best = _best(most)
    if best is None or best.model not in fewest or fewest[best.model].count == best.count:
        return
    more = best.count / fewest[best.model].count
    grown = [
        f"{times(most[name].cpu_seconds / fewest[name].cpu_seconds)} with {name}"
        for name in _MULTIPLEXING
        if name in most and name in fewest and fewest[name].cpu_seconds
    ]
    yield (
        f"With {times(more)} as many streams, and so many more bytes, the processor time is "
        f"{listed(grown)}: select and poll hand all descriptors to the kernel at each call, epoll "
        "none, and gets those that have something."
    )


def _signals(fewest: dict[str, ReadRun], most: dict[str, ReadRun]) -> Iterator[str]:
    few, many = fewest.get("signals"), most.get("signals")
    if few and many and few.count < many.count:
        yield (
            f"A signal says that something has come, not where: each one had all open streams "
            f"asked, {few.system_calls:,} calls for {few.count} and {many.system_calls:,} for "
            f"{many.count:,}, {many.in_vain / max(1, many.system_calls):.0%} for nothing."
        )


def _sessions(runs: Sequence[ReadRun], streams: Sequence[ReadRun]) -> Iterator[str]:
    """Yield how the sessions compare with as many streams, where there are as many."""
    sessions = {run.model: run for run in runs if run.source == "sessions" and run.problem is None}
    session = _best(sessions)
    stream = next(
        (
            run
            for run in streams
            if session and run.model == session.model and run.count == session.count
        ),
        None,
    )
    if session and stream and stream.cpu_seconds:
        yield (
            f"The {session.count} SSH sessions, read with {session.model}, took "
            f"{session.system_calls} calls and {duration(session.cpu_seconds)}, as many streams "
            f"{stream.system_calls} and {duration(stream.cpu_seconds)}: the rest is the decoding "
            "of SSH, which is to be done in every model."
        )
