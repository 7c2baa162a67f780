"""Sessions that stay open: who gets which, who answers for them, and when they are closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from fleetrun import keeper as keeper_module
from fleetrun.errors import ConnectError
from fleetrun.hosts import Host
from fleetrun.keeper import Keeper
from fleetrun.results import Phase
from fleetrun.session import Cancel, Command, CommandEnd, OnOutput, OnPhase, RemoteFiles, Session

PATIENCE_S = 20.0


class Told:
    """A session that does as it is told, and tells what was done with it."""

    def __init__(self, *, rests: bool = True, stands: bool = True) -> None:
        self.rests = rests
        self.stands = stands
        self.closed = 0
        self.woken = 0
        self.tended = threading.Event()
        self.hold_up = threading.Event()
        self.hold_up.set()

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:  # noqa: ARG002
        return CommandEnd(exit_status=0)

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        raise NotImplementedError(timeout_s)

    def close(self) -> None:
        self.closed += 1

    def rest(self) -> bool:
        return self.rests

    def tend(self) -> bool:
        self.tended.set()
        assert self.hold_up.wait(PATIENCE_S)
        return self.stands

    def wake(self, on_phase: OnPhase, cancel: Cancel) -> bool:  # noqa: ARG002
        self.woken += 1
        return self.stands and not self.closed


class OneUse:
    """A session that cannot be used again."""

    def __init__(self) -> None:
        self.closed = 0

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        raise NotImplementedError(command, on_output)

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        raise NotImplementedError(timeout_s)

    def close(self) -> None:
        self.closed += 1


class Made:
    """A `Connect` that hands out the sessions that it was given, in order."""

    def __init__(self, *sessions: Told | OneUse) -> None:
        self.left = list(sessions)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:  # noqa: ARG002
        on_phase(Phase.AUTH)
        if not self.left:
            raise ConnectError("no other session is to be made")
        return self.left.pop(0)


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    with contextlib.closing(Cancel()) as button:
        yield button


@contextlib.contextmanager
def keeping(connect: Made, *, most: int = 8, idle_s: float = 300.0) -> Iterator[Keeper]:
    keeper = Keeper(connect, most=most, idle_s=idle_s)
    try:
        yield keeper
    finally:
        keeper.close()


def use(keeper: Keeper, cancel: Cancel, name: str = "a") -> list[Phase]:
    """Use a host's session once; return the phases that its login entered."""
    phases: list[Phase] = []
    keeper(Host(name=name, user="deploy"), phases.append, cancel).close()
    return phases


def eventually(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to hold")


@pytest.fixture
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "_LOOK_S", 0.01)


def test_the_second_use_of_a_host_enters_no_phase_of_a_login(cancel: Cancel) -> None:
    session = Told()
    with keeping(Made(session)) as keeper:
        assert use(keeper, cancel) == [Phase.AUTH]
        assert use(keeper, cancel) == []
        assert (session.woken, session.closed) == (1, 0)
    assert session.closed == 1


def test_each_host_has_a_session_of_its_own(cancel: Cancel) -> None:
    first, second = Told(), Told()
    with keeping(Made(first, second)) as keeper:
        use(keeper, cancel, "a")
        use(keeper, cancel, "b")
        use(keeper, cancel, "a")
        assert (first.woken, second.woken) == (1, 0)


def test_a_session_that_does_not_wake_is_closed_and_another_one_made(cancel: Cancel) -> None:
    gone, fresh = Told(), Told()
    with keeping(Made(gone, fresh)) as keeper:
        use(keeper, cancel)
        gone.stands = False
        assert use(keeper, cancel) == [Phase.AUTH]
        assert (gone.closed, fresh.closed) == (1, 0)


@pytest.mark.parametrize("session", [Told(rests=False), OneUse()], ids=["broken", "of-one-use"])
def test_a_session_that_cannot_be_used_again_is_closed(
    session: Told | OneUse, cancel: Cancel
) -> None:
    with keeping(Made(session, Told())) as keeper:
        use(keeper, cancel)
        assert session.closed == 1
        assert use(keeper, cancel) == [Phase.AUTH]


def test_no_more_are_kept_than_allowed_and_those_that_were_first_stay(cancel: Cancel) -> None:
    first, second = Told(), Told()
    with keeping(Made(first, second), most=1) as keeper:
        use(keeper, cancel, "a")
        use(keeper, cancel, "b")
        assert (first.closed, second.closed) == (0, 1)
        assert use(keeper, cancel, "a") == []


def test_of_two_sessions_of_one_host_one_is_kept(cancel: Cancel) -> None:
    first, second = Told(), Told()
    with keeping(Made(first, second)) as keeper:
        host = Host(name="a", user="deploy")
        both = [keeper(host, lambda _phase: None, cancel) for _ in range(2)]
        for session in both:
            session.close()
            session.close()  # safe
        assert (first.closed, second.closed) == (0, 1)


@pytest.mark.usefixtures("_looks_often")
def test_an_idle_session_is_tended_and_closed_when_it_does_not_stand(cancel: Cancel) -> None:
    session = Told()
    with keeping(Made(session)) as keeper:
        use(keeper, cancel)
        assert session.tended.wait(PATIENCE_S)
        assert session.closed == 0
        session.stands = False
        eventually(lambda: session.closed == 1)


@pytest.mark.usefixtures("_looks_often")
def test_a_session_that_is_idle_for_long_is_closed(cancel: Cancel) -> None:
    session = Told()
    with keeping(Made(session), idle_s=0.0) as keeper:
        use(keeper, cancel)
        eventually(lambda: session.closed == 1)
        assert not session.tended.is_set()


@pytest.mark.usefixtures("_looks_often")
def test_who_wants_a_session_that_is_being_tended_waits_for_it(cancel: Cancel) -> None:
    session = Told()
    with keeping(Made(session)) as keeper:
        session.hold_up.clear()
        use(keeper, cancel)
        assert session.tended.wait(PATIENCE_S)
        user = threading.Thread(target=use, args=(keeper, cancel))
        user.start()
        assert session.woken == 0
        session.hold_up.set()
        user.join()
        assert session.woken == 1


@pytest.mark.usefixtures("_looks_often")
def test_who_wants_a_session_that_turns_out_broken_gets_a_new_one(cancel: Cancel) -> None:
    broken, fresh = Told(stands=False), Told()
    with keeping(Made(broken, fresh)) as keeper:
        broken.hold_up.clear()
        use(keeper, cancel)
        assert broken.tended.wait(PATIENCE_S)
        user = threading.Thread(target=use, args=(keeper, cancel))
        user.start()
        broken.hold_up.set()
        user.join()
        assert broken.closed >= 1
        eventually(lambda: not keeper._idle or "a" in keeper._idle)
        assert use(keeper, cancel) == []
        assert fresh.woken == 1


def test_what_is_given_back_after_the_end_is_closed(cancel: Cancel) -> None:
    session = Told()
    keeper = Keeper(Made(session), most=8)
    used = keeper(Host(name="a", user="deploy"), lambda _phase: None, cancel)
    keeper.close()
    used.close()
    assert session.closed == 1


def test_without_a_thread_to_tend_it_no_session_is_kept(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    session = Told()
    with keeping(Made(session)) as keeper:
        use(keeper, cancel)
        assert session.closed == 1
