"""What overlapped, on how many processors, and what that did to a counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.compare.quantities import duration, listed, times
from fleetrun.findings.multiprogramming import CounterRun, TaskRun

_PARALLEL = 1.2
"""Processors busy at once from which on computing has overlapped, beyond what measuring blurs."""


def explain(runs: Sequence[TaskRun], counters: Sequence[CounterRun]) -> str:
    """Return what the figures show, in sentences computed from them; a paragraph for each half."""
    tasks = (*_one(runs), *_several(runs), *_threads(runs), *_switches(runs))
    return f"{' '.join(tasks)}\n{' '.join(_counting(counters))}"


def _found(runs: Sequence[TaskRun], workers: str) -> list[TaskRun]:
    return [run for run in runs if run.workers == workers]


def _one(runs: Sequence[TaskRun]) -> Iterator[str]:
    alone = next(iter(_found(runs, "one by one")), None)
    one = next((run for run in _found(runs, "processes") if run.processors == 1), None)
    if alone is None or one is None:
        return
    yield (
        f"One by one, {len(alone.tasks)} tasks take {duration(alone.wall_seconds)}. Together on "
        f"one processor they take {duration(one.wall_seconds)}, "
        f"{times(alone.wall_seconds / one.wall_seconds)} as fast: up to {one.waiting_at_once} wait "
        f"at once while another computes, and never more than one computes "
        f"({one.cores_busy:.2f} processors busy). That is concurrent, not parallel."
    )


def _several(runs: Sequence[TaskRun]) -> Iterator[str]:
    """Yield what more processors add, if they were to be had."""
    processes = _found(runs, "processes")
    first, last = processes[0], processes[-1]
    if first.processors == last.processors:
        return
    if last.cores_busy < _PARALLEL:
        yield (
            f"On {last.processors} processors, {last.cores_busy:.2f} were busy with them: the "
            "computing hardly overlapped, so something else had the processors; try again later."
        )
        return
    yield (
        f"On {last.processors} processors they take {duration(last.wall_seconds)}, "
        f"{times(first.wall_seconds / last.wall_seconds)} as fast as on one, with "
        f"{last.cores_busy:.2f} busy: the computing overlaps too, which is parallel."
    )


def _threads(runs: Sequence[TaskRun]) -> Iterator[str]:
    """Yield whether threads compute at once; nothing where not even processes could."""
    threads = _found(runs, "threads")
    if len(threads) < 2 or _found(runs, "processes")[-1].cores_busy < _PARALLEL:  # noqa: PLR2004 (on one, on all)
        return
    one, last = threads[0], threads[-1]
    yield (
        f"Threads take {duration(one.wall_seconds)} on one processor and "
        f"{duration(last.wall_seconds)} on {last.processors}, with {last.cores_busy:.2f} busy: "
        + (
            "they overlap the waiting alike, but one at a time computes, the one that holds the "
            "interpreter's lock (the GIL)."
            if last.cores_busy < _PARALLEL
            else "here threads compute in parallel."
        )
    )


def _switches(runs: Sequence[TaskRun]) -> Iterator[str]:
    processes = _found(runs, "processes")
    if not processes or not processes[-1].gave_up:
        return
    first, *others = processes
    yield (
        f"On {first.processors}, a process gave its processor up {first.gave_up} times at a wait, "
        f"and was pushed off it {first.pushed_off} times at the end of its slice"
        + "".join(f"; on {run.processors}, {run.gave_up} and {run.pushed_off}" for run in others)
        + "."
    )
    if moved := processes[-1].moved:
        yield f"On {processes[-1].processors}, tasks came back on another processor {moved} times."


def _counting(counters: Sequence[CounterRun]) -> Iterator[str]:
    """Yield what became of the counters: those that lost, those that did not, those apart."""
    for run in counters:
        if run.memory == "separate":
            yield (
                f"Processes with a counter each: the first one sees {run.counted:,} of "
                f"{run.expected:,}, since the others have counted in a memory of their own."
            )
        elif not run.lock:
            yield (
                f"{run.workers.capitalize()} that share a counter and add with `{run.step}`, "
                f"without a lock, lost {run.expected - run.counted:,} of {run.expected:,} steps."
            )
    locked = [run for run in counters if run.lock]
    lost = sum(run.expected - run.counted for run in locked)
    yield f"With a lock, {listed([run.workers for run in locked])} lost {lost or 'none'}."
    if any(run.step == "+= 1" and run.counted == run.expected for run in counters):
        yield (
            "That `+= 1` lost none is luck of the interpreter, which looks for another thread only "
            "at calls and at the ends of loops: it is a read, an addition and a write all the same."
        )
