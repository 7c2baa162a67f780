"""Every I/O model reads every byte; what it takes for that is counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from fleetrun.compare.program import Program
from fleetrun.compare.reading.calls import SystemCalls
from fleetrun.compare.reading.explain import explain
from fleetrun.compare.reading.measure import _FEED, _of_streams
from fleetrun.compare.reading.models import MODELS, Unavailable, blocking, signals
from fleetrun.compare.reading.schedule import END_S, PIECE, PIECES, moments, shell_script
from fleetrun.compare.reading.sessions import FedLink
from fleetrun.compare.reading.sources import Stream
from fleetrun.errors import FleetrunError
from fleetrun.findings.reading import ReadRun

pytestmark = pytest.mark.long

models = pytest.mark.parametrize("name", MODELS)


@contextmanager
def streams(count: int) -> Iterator[tuple[Sequence[Stream], Sequence[socket.socket]]]:
    with ExitStack() as opened:
        pairs = [socket.socketpair() for _ in range(count)]
        for pair in pairs:
            for end in pair:
                opened.enter_context(end)
        yield [Stream(ours) for ours, _ in pairs], [theirs for _, theirs in pairs]


@models
def test_a_model_reads_what_is_there_already_and_sees_the_end(name: str) -> None:
    calls = SystemCalls()
    with streams(3) as (sources, peers):
        for number, peer in enumerate(peers):
            peer.sendall(b"x" * (number + 1))
            peer.close()

        MODELS[name](sources, calls)

    assert [source.size_bytes for source in sources] == [1, 2, 3]
    assert calls.made["recv"] >= 6  # a piece and an end of each


@models
def test_a_model_reads_what_comes_while_it_waits(name: str) -> None:
    with streams(2) as (sources, (first, second)):

        def speak() -> None:
            second.sendall(b"b")
            first.sendall(b"a")
            second.close()
            first.close()

        later = threading.Timer(0.05, speak)
        later.start()
        MODELS[name](sources, SystemCalls())
        later.join()

    assert [source.size_bytes for source in sources] == [1, 1]


def test_blocking_hears_the_second_only_after_the_end_of_the_first() -> None:
    with streams(2) as (sources, (first, second)):
        second.sendall(b"there long ago")
        second.close()
        first.sendall(b"x")
        first.close()

        calls = SystemCalls()
        blocking(sources, calls)

    assert sources[0].last_s is not None
    assert sources[1].first_s is not None
    assert sources[0].last_s <= sources[1].first_s
    assert (calls.made["recv"], calls.in_vain) == (4, 0)


def test_polling_asks_in_vain_and_multiplexing_does_not() -> None:
    in_vain = {}
    for name in ("polling", "select"):
        calls = SystemCalls()
        with streams(1) as (sources, (peer,)):
            later = threading.Timer(0.05, peer.close)
            later.start()
            MODELS[name](sources, calls)
            later.join()
        in_vain[name] = calls.in_vain

    assert in_vain["polling"] > 10
    assert in_vain["select"] == 0


def test_signals_are_for_the_main_thread_alone() -> None:
    refused: list[str] = []

    def try_it() -> None:
        with streams(1) as (sources, _):
            try:
                signals(sources, SystemCalls())
            except Unavailable as error:
                refused.append(str(error))

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()

    assert len(refused) == 1


def test_the_schedule_is_the_same_every_time_and_the_script_follows_it() -> None:
    assert moments(7) == moments(7) != moments(8)
    assert len(moments(7)) == PIECES
    assert max(moments(7)) <= END_S
    assert shell_script(7).count("echo") == PIECES
    assert shell_script(7).startswith("read go; sleep ")


def test_of_streams_each_model_reads_every_piece() -> None:
    said: list[str] = []

    runs = list(_of_streams([2], said.append))

    assert [run.model for run in runs] == [*MODELS, "gevent"]
    for run in runs:
        assert run.problem is None
        assert run.bytes_read == 2 * PIECES * len(PIECE)
        assert 0 < run.first_p50_seconds <= run.first_max_seconds <= run.last_max_seconds
        assert run.system_calls >= 4  # what has come, and the end, of each
    assert said[0] == "2 streams: blocking"


def test_a_program_that_fails_is_told_with_its_last_words() -> None:
    with Program(_FEED) as feed:
        int(feed.line())
        feed.tell("no number")
        with pytest.raises(FleetrunError, match="the program feed of the experiment failed: Val"):
            feed.line()


def test_a_fed_link_gives_what_it_was_fed_and_reads_itself_only_in_need() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = FedLink(ours)
        link.feed(b"abc")
        theirs.sendall(b"rest")

        assert link.recv(2) == b"ab"
        assert link.recv(9) == b"c"
        with pytest.raises(BlockingIOError):
            link.recv(9)
        assert link.recv(9) == b"rest"  # asked again without being fed: a packet is half read
        link.feed(b"")
        assert link.recv(9) == b""


def made_up(model: str, count: int, calls: int, cpu_s: float, source: str = "streams") -> ReadRun:
    return ReadRun(
        model=model,
        source=source,
        count=count,
        calls={"recv": calls},
        in_vain=calls // 2,
        cpu_seconds=cpu_s,
        first_p50_seconds=0.9 if model == "blocking" else 0.2,
    )


def test_growth_is_told_from_the_fewest_to_the_most_streams() -> None:
    runs = [made_up("epoll", 10, 14, 0.001), made_up("epoll", 1000, 1400, 0.02)]

    assert "With 100 times as many streams" in explain(runs)
    assert "the processor time is 20 times with epoll" in explain(runs)
    assert "times as many streams" not in explain(runs[:1])


def test_sessions_are_compared_with_as_many_streams_and_no_others() -> None:
    session = made_up("epoll", 10, 177, 0.016, source="sessions")

    assert "The 10 SSH sessions" in explain([session, made_up("epoll", 10, 140, 0.006)])
    assert "SSH sessions" not in explain([session, made_up("epoll", 20, 140, 0.006)])


def test_a_model_that_is_missing_is_left_out_of_the_sentences() -> None:
    missing = ReadRun(model="epoll", source="streams", count=10, problem="there is none")

    assert "epoll" not in explain([missing, made_up("select", 10, 100, 0.01)])
