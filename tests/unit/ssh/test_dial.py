"""Looking names up: in time, and no more of them at once than there are places."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from fleetrun.errors import Cancelled, ConnectError, DeadlinePassed
from fleetrun.hosts import Host
from fleetrun.session import Cancel
from fleetrun.ssh import dial as dial_module
from fleetrun.ssh.dial import dial
from fleetrun.ssh.wire import Deadline

PATIENCE_S = 20.0
NAME = Host(name="web1.example.com", user="deploy", port=1)


class SilentResolver:
    """A resolver that answers nobody until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = threading.Event()

    def __call__(self, *_args: object, **_kwargs: object) -> list[object]:
        self.asked += 1
        assert self.let_go.wait(PATIENCE_S)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
def cancel() -> Iterator[Cancel]:
    with contextlib.closing(Cancel()) as button:
        yield button


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentResolver]:
    silent = SilentResolver()
    monkeypatch.setattr(socket, "getaddrinfo", silent)
    monkeypatch.setattr(dial_module, "_LOOKUPS", threading.Semaphore(1))
    yield silent
    silent.let_go.set()


def look_up(cancel: Cancel, within_s: float) -> None:
    dial(NAME, lambda _phase: None, Deadline.after(within_s, "too slow"), cancel).close()


def test_a_look_up_that_was_given_up_keeps_its_place_until_it_ends(
    resolver: SilentResolver, cancel: Cancel
) -> None:
    with pytest.raises(DeadlinePassed, match="the resolver did not answer"):
        look_up(cancel, 0.01)
    with pytest.raises(DeadlinePassed, match="did not answer for 64 others"):
        look_up(cancel, 0.01)
    assert resolver.asked == 1
    resolver.let_go.set()
    with pytest.raises(ConnectError, match="Name or service not known"):
        look_up(cancel, PATIENCE_S)
    assert resolver.asked == 2


def test_who_waits_for_a_place_hears_the_stop_button(
    resolver: SilentResolver, cancel: Cancel
) -> None:
    with pytest.raises(DeadlinePassed):
        look_up(cancel, 0.01)
    cancel.press()
    with pytest.raises(Cancelled, match="waited for its name to be looked up"):
        look_up(cancel, PATIENCE_S)
    assert resolver.asked == 1


@pytest.mark.usefixtures("resolver")
def test_a_look_up_for_which_no_thread_is_to_be_had_costs_its_host_alone(
    cancel: Cancel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(2):  # and the place is free again
            with pytest.raises(ConnectError, match="can't start new thread"):
                look_up(cancel, PATIENCE_S)
