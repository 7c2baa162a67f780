"""What the styles did to their callers, in sentences computed from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.compare.quantities import duration, listed, times
from fleetrun.findings.calls import CallRun

_POLL = "poll"
_SLOWER = 1.2
"""From how many times the time of others on a style has slowed the work, beyond chance."""
_BUSY = "poll without pause"
_TOLD = ("as_completed", "callbacks", "astream")
_FREE = ("callbacks", "aexec", "astream")


def explain(runs: Sequence[CallRun], *, forks: int) -> str:
    """Return what the figures show, of the first mode; a sentence about each other mode."""
    if problem := next((run.problem for run in runs if run.problem is not None), None):
        return f"Not every host was ok ({problem}), so that the figures compare different work."
    first = [run for run in runs if run.mode == runs[0].mode]
    found = {run.style: run for run in first}
    sentences = (
        *_synchronous(found, forks),
        *_polling(found),
        *_told(found),
        *_free(found),
        *_others(runs),
    )
    return " ".join(sentences)


def _synchronous(found: dict[str, CallRun], forks: int) -> Iterator[str]:
    alone, together = found["one by one"], found["wait"]
    yield (
        f"One by one, in {alone.mode}, a pool of {forks} behaves like a pool of "
        f"{alone.peak_overlap}: {duration(alone.wall_seconds)}, against "
        f"{duration(together.wall_seconds)} when all hosts are submitted and then waited for "
        f"({times(alone.wall_seconds / together.wall_seconds)} as long, {together.peak_overlap} "
        "at once). Both hold the caller to the end, and it did "
        f"{alone.ticks + together.ticks or 'no'} pieces of work of its own meanwhile."
    )


def _polling(found: dict[str, CallRun]) -> Iterator[str]:
    busy = found[_BUSY]
    others = [run for name, run in found.items() if name.startswith(_POLL) and run is not busy]
    told = [
        f"{run.looks:,} looks and {duration(run.cpu_seconds)} for "
        f"{run.style.removeprefix('poll ')} (known up to {duration(run.delay_max_seconds)} late)"
        for run in others
    ]
    yield (
        f"Polling without a pause looked {busy.looks:,} times and burnt "
        f"{duration(busy.cpu_seconds)} of processor time; with a pause it took {listed(told)}."
    )
    quickest = min(run.wall_seconds for run in others)
    if busy.wall_seconds > _SLOWER * quickest:
        yield (
            f"Looking without a pause slowed the work itself, {duration(busy.wall_seconds)} "
            f"instead of {duration(quickest)}: the threads that do it wait for the interpreter's "
            "lock."
        )


def _told(found: dict[str, CallRun]) -> Iterator[str]:
    told = [found[name] for name in _TOLD]
    late = [f"{run.style} {duration(run.delay_p50_seconds)}" for run in told]
    cpu_s = max(run.cpu_seconds for run in told)
    yield (
        f"Who is told knows soon without looking: after {listed(late)} (the median), for "
        f"{duration(cpu_s)} of processor time at the most. exec and wait tell of the first host "
        f"when the last is done: up to {duration(found['wait'].delay_max_seconds)} late."
    )


def _free(found: dict[str, CallRun]) -> Iterator[str]:
    free = [f"{found[name].ticks} with {name}" for name in _FREE]
    held = max(found[name].held_seconds for name in _FREE)
    yield (
        f"Being told does not mean being free: as_completed did {found['as_completed'].ticks} "
        f"pieces of its own work while it waited, against {listed(free)}, which held the caller "
        f"for {duration(held)} at the most."
    )


def _others(runs: Sequence[CallRun]) -> Iterator[str]:
    """Yield how the same call compares in each mode after the first."""
    first = next(run for run in runs if run.style == "wait")
    for run in runs:
        if run.style == "wait" and run is not first:
            yield (
                f"In {run.mode}, wait takes {duration(run.wall_seconds)} in the place of "
                f"{duration(first.wall_seconds)}: the style decides what the caller can do, the "
                "mode who does the work, and what that costs to start."
            )
