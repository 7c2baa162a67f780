"""The pool of threads in this process."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from executor_runs import eventually, jobs_on, results_in, running, whole_run

from fleetrun.events import Event, Finished, Output, Started
from fleetrun.executors import Mode
from fleetrun.executors.pool import Feed, Latch, Order, do
from fleetrun.hosts import Host
from fleetrun.results import Outcome
from fleetrun.session import Cancel, OnPhase, Session
from fleetrun.testing import FakeConnect, FakeHost


@pytest.mark.parametrize("threads", [0, 1, 5])
def test_a_run_makes_do_with_the_threads_that_can_be_started(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_threads(monkeypatch, after=threads)
    speaking = FakeConnect(others=FakeHost(stdout=b"up"))
    events = whole_run(Mode.THREADS, speaking, hosts=100, forks=32)
    assert [result.outcome for result in results_in(events).values()] == [Outcome.OK] * 100
    assert sum(isinstance(event, Output) for event in events) == 100


def test_without_a_thread_cancelling_still_leaves_a_result_for_every_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_threads(monkeypatch, after=0)
    with running(Mode.THREADS, FakeConnect(), hosts=9) as run:
        seen = run.until(lambda event: isinstance(event, Started))
        run.cancel.press()
        seen += run.events
    outcomes = [result.outcome for result in results_in(seen).values()]
    assert outcomes == [Outcome.OK, *[Outcome.NOT_RUN] * 8]


def test_a_job_that_was_given_out_and_not_begun_when_the_run_is_cancelled_is_not_begun() -> None:
    (job,) = jobs_on(["a"])
    events: list[Event] = []
    cancel = Cancel()
    cancel.press()
    do(Order(job, cancel, Latch()), FakeConnect(), events.append)
    cancel.close()
    (only,) = events
    assert isinstance(only, Finished)
    assert only.result.outcome is Outcome.NOT_RUN


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A `Connect` during which Ctrl-C is pressed."""

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:  # noqa: ARG002
        """Interrupt."""
        raise KeyboardInterrupt


def test_without_a_thread_ctrl_c_still_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_threads(monkeypatch, after=0)
    with running(Mode.THREADS, Interrupted()) as run, pytest.raises(KeyboardInterrupt):
        list(run.events)


def test_threads_of_a_pool_have_small_stacks_and_others_have_what_they_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, start = stack_bytes(), threading.Thread.start
    sizes: list[int] = []

    def note_and_start(thread: threading.Thread) -> None:
        sizes.append(stack_bytes())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note_and_start)
    whole_run(Mode.THREADS, FakeConnect(), hosts=2, forks=2)
    assert sizes == [256 * 1024] * 2
    assert stack_bytes() == before


def stack_bytes() -> int:
    """Return what the next thread is given; asking for it sets it to the system's own."""
    size = threading.stack_size()
    threading.stack_size(size)
    return size


def refuse_threads(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    started, start = [0], threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if started[0] == after:
            raise RuntimeError("can't start new thread")
        started[0] += 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)


def event(number: int) -> Event:
    return Started(host=f"h{number}", at_s=0.0)


def test_a_feed_takes_no_more_than_it_has_room_for_and_keeps_the_order() -> None:
    feed = Feed(3)
    put: list[int] = []

    def produce() -> None:
        for number in range(10):
            feed.put(event(number))
            put.append(number)

    producer = threading.Thread(target=produce)
    producer.start()
    eventually(lambda: len(put) == 3)
    got = []
    for number in range(10):
        assert len(put) <= number + 3
        got.append(feed.get(10.0))
    producer.join()
    assert got == [event(number) for number in range(10)]
    assert feed.get(0.0) is None


def test_an_abandoned_feed_lets_everybody_go_on_and_keeps_nothing() -> None:
    feed = Feed(1)
    feed.put(event(0))
    producers = [threading.Thread(target=feed.put, args=(event(number),)) for number in range(5)]
    for producer in producers:
        producer.start()
    feed.abandon()
    for producer in producers:
        producer.join()
    assert feed.get(0.0) == event(0)
    assert feed.get(0.0) is None
