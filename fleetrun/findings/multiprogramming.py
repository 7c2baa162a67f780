"""More tasks than processors: who computed where and when, and what a counter counted. Layer 1."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.StrEnum):
    """What a task is doing at a moment."""

    WAITING = "waiting"
    """It waits for something outside, and wants no processor."""
    READY = "ready"
    """It could go on, and has no processor (or, a thread, not the interpreter's lock)."""
    COMPUTING = "computing"
    """A processor works for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one task's time in one state. Immutable, picklable.

    Attributes:
        state: what it did.
        begin_s: when it began, in seconds since the run's first task did.
        end_s: when it ended.
        processor: the number of the processor that computed; None in the other states, and where
            the system does not tell.
    """

    state: State
    begin_s: float
    end_s: float
    processor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """All tasks, run once in one way. Immutable, picklable.

    Attributes:
        workers: `one by one` (a single thread), `processes` or `threads`: what carries the tasks.
        processors: on how many processors they were allowed to run.
        tasks: of each task its spans, in the order of time.
        wall_seconds: from the first task's start to the last one's end; the starting of processes
            is not in it.
        cpu_seconds: processor time of all tasks together.
        waiting_at_once: the largest number of tasks that waited at one moment.
        gave_up: how often a task left its processor at a wait (voluntary context switches).
        pushed_off: how often it was taken from it (involuntary context switches).
        moved: how often a task went on on another processor than before; None where the system
            does not tell.
    """

    workers: str
    processors: int
    tasks: tuple[tuple[Span, ...], ...]
    wall_seconds: float
    cpu_seconds: float
    waiting_at_once: int
    gave_up: int
    pushed_off: int
    moved: int | None

    @property
    def cores_busy(self) -> float:
        """How many processors worked, on the average."""
        return self.cpu_seconds / self.wall_seconds if self.wall_seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterRun:
    """Several workers that add to one counter, as they all believe. Immutable, picklable.

    Attributes:
        workers: `threads` or `processes`.
        memory: `shared`, or `separate` when each worker has a counter of its own.
        step: how one is added: `read, switch, write`, or `+= 1`.
        lock: whether a lock is held for each step.
        expected: how much was added by all of them together.
        counted: what the counter that the first process sees had in the end.
    """

    workers: str
    memory: str
    step: str
    lock: bool
    expected: int
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiprogrammingFindings:
    """What was found.

    Attributes:
        runs: the tasks, one by one, and then together on more and more processors.
        counters: the counters.
        says: what the figures show, a few sentences computed from them.
    """

    runs: tuple[TaskRun, ...]
    counters: tuple[CounterRun, ...]
    says: str
