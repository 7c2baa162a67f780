"""Runs the tasks in each way, and the counters, and collects what they wrote down."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from fleetrun.compare.multiprogramming.explain import explain
from fleetrun.compare.multiprogramming.task import work
from fleetrun.compare.overlap import peak_overlap
from fleetrun.compare.program import Program
from fleetrun.findings.multiprogramming import (
    CounterRun,
    MultiprogrammingFindings,
    Span,
    State,
    TaskRun,
)

_TASK = Path(__file__).with_name("task.py")
_COUNTER = Path(__file__).with_name("counter.py")
_UNIT_S = 0.002
"""Computing is written down in pieces of about this: shorter than any system's time slice."""
_TRIAL_LOOPS = 5_000
_TRIALS = 20
_COUNTING_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """What the tasks do.

    Attributes:
        count: how many there are.
        rounds: how often each waits and then computes.
        wait_s: how long it waits each time, in seconds.
        compute_s: how long it computes each time, on a processor of its own.
    """

    count: int
    rounds: int
    wait_s: float
    compute_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way to run them: by what, and on which processors (None when none can be chosen)."""

    workers: str
    processors: tuple[int, ...] | None


def measure_tasks(
    tasks: Tasks, *, repeat: int, steps: int, tell: Callable[[str], None]
) -> MultiprogrammingFindings:
    """Run the tasks one by one, then together on one to all processors; count; return all of it.

    Args:
        tasks: the tasks.
        repeat: how often they are run in each way; the quickest run is kept, which is the one that
            other programs on this machine have disturbed least.
        steps: how often each of four workers adds one to each counter.
        tell: takes a sentence about what comes next.
    """
    loops = _loops_in(_UNIT_S)
    runs = []
    for way in _ways(_own_processors()):
        number = _number(way)
        tell(f"{way.workers} on {number} processor{'s' if number > 1 else ''}")
        tries = [_run(tasks, way, loops) for _ in range(repeat)]
        runs.append(min(tries, key=lambda run: run.wall_seconds))
    tell(f"{_COUNTING_WORKERS} workers add to a counter")
    counters = _counters(steps)
    says = explain(runs, counters)
    return MultiprogrammingFindings(runs=tuple(runs), counters=counters, says=says)


def _own_processors() -> tuple[int, ...] | None:
    """Return the processors that this process may use; None where that cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return tuple(sorted(os.sched_getaffinity(0)))


def _ways(processors: tuple[int, ...] | None) -> Iterator[_Way]:
    """Yield the ways: on 1, 2, 4 … and all processors; on all alone where none can be chosen."""
    if processors is None:
        yield from (_Way(workers=how, processors=None) for how in ("one by one", "threads"))
        yield _Way(workers="processes", processors=None)
        return
    yield _Way(workers="one by one", processors=processors[:1])
    numbers = [number for power in range(10) if (number := 2**power) < len(processors)]
    for number in [*numbers, len(processors)]:
        yield _Way(workers="processes", processors=processors[:number])
    yield _Way(workers="threads", processors=processors[:1])
    if len(processors) > 1:
        yield _Way(workers="threads", processors=processors)


def _number(way: _Way) -> int:
    return (os.cpu_count() or 1) if way.processors is None else len(way.processors)


def _loops_in(seconds: float) -> int:
    """Return how many loops of `work` take that much processor time here, at their quickest."""
    quickest_s = min(map(_trial_s, range(_TRIALS)))
    return max(1, round(_TRIAL_LOOPS * seconds / quickest_s))


def _trial_s(_number: int) -> float:
    began_s = time.thread_time()
    work(_TRIAL_LOOPS)
    return max(time.thread_time() - began_s, 1e-6)


def _run(tasks: Tasks, way: _Way, loops: int) -> TaskRun:
    """Start the programs, let them all go, and collect what their tasks did."""
    with ExitStack() as running:
        programs = [running.enter_context(each) for each in _programs(tasks, way, loops)]
        for program in programs:
            program.line()
        for program in programs:
            program.tell("go")
        return _collected([task for each in programs for task in each.answer()], way)


def _programs(tasks: Tasks, way: _Way, loops: int) -> Iterator[Program]:
    """Start a program for each task, or one for all of them.

    Their first waits differ, so that they do not all want a processor at the same moments for ever.
    """
    units = max(1, round(tasks.compute_s / _UNIT_S))
    stagger_s = (tasks.wait_s + tasks.compute_s) / tasks.count
    pinned = "-" if way.processors is None else ",".join(map(str, way.processors))
    common = (tasks.rounds, units, loops, tasks.wait_s, stagger_s, pinned)
    if way.workers == "processes":
        for number in range(tasks.count):
            yield Program(_TASK, "together", 1, number, *common)
    else:
        how = "after" if way.workers == "one by one" else "together"
        yield Program(_TASK, how, tasks.count, 0, *common)


def _collected(told: Sequence[Any], way: _Way) -> TaskRun:
    """Return the run from what each task told: its rows, its processor time, its switches."""
    began_s = min(rows[0][1] for rows, *_ in told)
    tasks = tuple(tuple(_span(row, began_s) for row in rows) for rows, *_ in told)
    waits = ((span.begin_s, span.end_s) for task in tasks for span in task if _waits(span))
    return TaskRun(
        workers=way.workers,
        processors=_number(way),
        tasks=tasks,
        wall_seconds=max(task[-1].end_s for task in tasks),
        cpu_seconds=sum(cpu_s for _, cpu_s, _, _ in told),
        waiting_at_once=peak_overlap(waits),
        gave_up=sum(gave_up for _, _, gave_up, _ in told),
        pushed_off=sum(pushed_off for *_, pushed_off in told),
        moved=_moved(tasks),
    )


def _span(row: Sequence[Any], began_s: float) -> Span:
    state, begin_s, end_s, processor = row
    return Span(
        state=State(state),
        begin_s=begin_s - began_s,
        end_s=end_s - began_s,
        processor=processor,
    )


def _waits(span: Span) -> bool:
    return span.state is State.WAITING


def _moved(tasks: Sequence[Sequence[Span]]) -> int | None:
    """Return how often a task went on on another processor; None when none is known."""
    places = [[span.processor for span in task if span.state is State.COMPUTING] for task in tasks]
    if any(place is None for each in places for place in each):
        return None
    return sum(before != after for each in places for before, after in pairwise(each))


def _counters(steps: int) -> tuple[CounterRun, ...]:
    with Program(_COUNTER, _COUNTING_WORKERS, steps) as program:
        return tuple(CounterRun(**fields) for fields in program.answer())
