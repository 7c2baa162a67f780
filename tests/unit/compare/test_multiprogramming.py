"""Tasks and counters: what they write down, and what is concluded from it."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest

from fleetrun.compare.multiprogramming import Tasks, measure_tasks
from fleetrun.compare.multiprogramming.explain import explain
from fleetrun.compare.multiprogramming.task import Task
from fleetrun.findings.multiprogramming import CounterRun, Span, State, TaskRun

pytestmark = pytest.mark.long

WORKERS = 4


@pytest.fixture(scope="module")
def found() -> list[TaskRun]:
    tasks = Tasks(count=3, rounds=2, wait_s=0.01, compute_s=0.004)
    return list(measure_tasks(tasks, repeat=1, steps=10, tell=lambda _: None).runs)


def test_a_task_waits_and_computes_by_turns_and_leaves_no_moment_out() -> None:
    task = Task(rounds=3, units=2, loops=50, wait_s=0.001, first_wait_s=0.002)
    task.run()

    order = [state for state, *_ in task.rows if state != "ready"]
    merged = [state for at, state in enumerate(order) if order[at - 1 : at] != [state]]
    assert merged == ["waiting", "computing"] * 3
    for before, after in pairwise(task.rows):
        assert before[2] == after[1]


def test_alone_one_task_follows_another(found: list[TaskRun]) -> None:
    (alone,) = [run for run in found if run.workers == "one by one"]

    assert (alone.processors, alone.waiting_at_once) == (1, 1)
    for before, after in pairwise(alone.tasks):
        assert before[-1].end_s <= after[0].begin_s


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="pins processes")
def test_pinned_to_one_processor_no_task_computes_elsewhere(found: list[TaskRun]) -> None:
    for run in found:
        places = {span.processor for task in run.tasks for span in task} - {None}
        assert len(places) <= run.processors
        if run.processors == 1:
            assert run.moved in {0, None}


def test_together_every_task_has_all_its_rounds_and_waits_overlap(found: list[TaskRun]) -> None:
    together = [run for run in found if run.workers != "one by one"]

    assert {run.workers for run in together} == {"processes", "threads"}
    for run in together:
        assert len(run.tasks) == 3
        assert all(sum(span.state is State.WAITING for span in task) == 2 for task in run.tasks[1:])
        assert run.waiting_at_once > 1


def counters(steps: int) -> tuple[CounterRun, ...]:
    tasks = Tasks(count=1, rounds=1, wait_s=0.001, compute_s=0.001)
    return measure_tasks(tasks, repeat=1, steps=steps, tell=lambda _: None).counters


def test_a_lock_loses_nothing_and_separate_memory_shares_nothing() -> None:
    runs = counters(200)

    assert {run.expected for run in runs} == {WORKERS * 200}
    assert [run.counted for run in runs if run.lock] == [WORKERS * 200] * 2
    assert [run.counted for run in runs if run.memory == "separate"] == [0]
    (threads,) = [
        run for run in runs if run.workers == "threads" and not run.lock and run.step != "+= 1"
    ]
    assert threads.counted < threads.expected  # each step gives the processor up in its middle


def test_no_counter_ever_has_more_than_was_added() -> None:
    assert all(0 <= run.counted <= run.expected for run in counters(20))


def task_run(workers: str, processors: int, wall_s: float, cpu_s: float) -> TaskRun:
    return TaskRun(
        workers=workers,
        processors=processors,
        tasks=((Span(state=State.COMPUTING, begin_s=0.0, end_s=wall_s),),) * 6,
        wall_seconds=wall_s,
        cpu_seconds=cpu_s,
        waiting_at_once=5,
        gave_up=24,
        pushed_off=7,
        moved=3,
    )


@pytest.mark.parametrize(
    ("cpu_s", "says"),
    [
        (1.9, "the computing overlaps too, which is parallel"),
        (1.0, "the computing hardly overlapped, so something else had the processors"),
    ],
    ids=["parallel", "disturbed"],
)
def test_parallel_is_what_kept_more_than_one_processor_busy(cpu_s: float, says: str) -> None:
    runs = [
        task_run("one by one", 1, 4.0, 2.0),
        task_run("processes", 1, 2.0, 2.0),
        task_run("processes", 2, 1.0, cpu_s),
    ]

    text = explain(runs, [])

    assert "2 times as fast: up to 5 wait at once" in text
    assert says in text
    assert "24 times at a wait, and was pushed off it 7 times at the end of its slice" in text
    assert "; on 2, 24 and 7." in text


@pytest.mark.parametrize(
    ("cpu_s", "processes_cpu_s", "says", "said"),
    [
        (2.0, 1.9, "the interpreter's lock (the GIL)", True),
        (3.9, 1.9, "here threads compute in parallel", True),
        (2.0, 1.0, "Threads", False),
    ],
    ids=["GIL", "free-threaded", "disturbed"],
)
def test_threads_are_judged_only_where_processes_compute_at_once(
    cpu_s: float,
    processes_cpu_s: float,
    says: str,
    said: bool,  # noqa: FBT001 (a table's column)
) -> None:
    runs = [
        task_run("processes", 1, 2.0, 2.0),
        task_run("processes", 2, 1.0, processes_cpu_s),
        task_run("threads", 1, 2.0, 2.0),
        task_run("threads", 2, 2.0, cpu_s),
    ]

    assert (says in explain(runs, [])) is said
