"""A run's stop button, and the protocols of sessions."""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from fleetrun.hosts import Secret
from fleetrun.readiness import wait_ready
from fleetrun.session import Cancel, Command, Connect, Dialogue, Prepares, Session
from fleetrun.ssh import SshConnect
from fleetrun.testing import FakeConnect, FakeSession

PATIENCE_S = 30.0


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    """Return a run's stop button."""
    button = Cancel()
    yield button
    button.close()


def test_the_button_is_readable_once_it_is_pressed_and_stays_so(cancel: Cancel) -> None:
    looks = []
    for _ in range(3):
        ready = wait_ready([cancel.fileno()], timeout_s=0)
        looks.append((cancel.pressed, ready == {cancel.fileno()}))
        cancel.press()
    assert looks == [(False, False), (True, True), (True, True)]


def test_pressing_it_many_times_never_blocks(cancel: Cancel) -> None:
    for _ in range(100_000):
        cancel.press()
    assert cancel.pressed


def test_pressing_it_after_it_was_closed_does_nothing() -> None:
    cancel = Cancel()
    cancel.close()
    cancel.press()
    assert cancel.pressed


def test_a_wait_is_over_when_its_time_is(cancel: Cancel) -> None:
    assert cancel.wait(0.01) is False


def test_a_wait_is_over_when_somebody_presses_in_another_thread(cancel: Cancel) -> None:
    presser = threading.Thread(target=cancel.press)
    presser.start()
    assert cancel.wait(PATIENCE_S) is True
    presser.join(PATIENCE_S)


def test_many_waits_see_one_press(cancel: Cancel) -> None:
    seen: list[bool] = []
    waiting = [
        threading.Thread(target=lambda: seen.append(cancel.wait(PATIENCE_S))) for _ in range(20)
    ]
    for thread in waiting:
        thread.start()
    cancel.press()
    for thread in waiting:
        thread.join(PATIENCE_S)
    assert seen == [True] * 20


def test_a_signal_handler_may_press_it_while_the_same_thread_waits(cancel: Cancel) -> None:
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: cancel.press())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        assert cancel.wait(PATIENCE_S) is True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_steps_of_the_clock_on_the_wall_do_not_matter(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert cancel.wait(0.001) is False


def test_a_commands_answer_is_in_no_repr() -> None:
    dialogue = Dialogue(question=b"?", answer=Secret("hunter2"), begun=b"!", refused="no")
    command = Command(line="id", dialogue=dialogue)
    assert "hunter2" not in repr(command)
    assert pickle.loads(pickle.dumps(command)) == command  # noqa: S301 (our own)


@pytest.mark.parametrize("connect", [SshConnect(), FakeConnect()], ids=["ssh", "fake"])
def test_what_connects_reaches_worker_processes(connect: Connect) -> None:
    assert pickle.loads(pickle.dumps(connect)) == connect  # noqa: S301


def test_ssh_looks_at_its_keys_before_any_host_is_contacted() -> None:
    assert isinstance(SshConnect(), Prepares)
    assert not isinstance(FakeConnect(), Prepares)


def test_a_fake_session_can_do_what_a_session_can() -> None:
    needed = {name for name in vars(Session) if not name.startswith("_")}
    assert {"run", "files", "close"} <= needed
    assert all(callable(getattr(FakeSession, name)) for name in needed)
