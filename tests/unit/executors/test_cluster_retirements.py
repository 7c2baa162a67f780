"""Who is told that a Dask worker could not be retired."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

from fleetrun.executors.cluster.retirements import retirements_of

REFUSED = {"action": "could-not-retire"}


class Client:
    """A client's place: one handler for a topic."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], None]] = {}

    def subscribe_topic(self, topic: str, handler: Callable[[Any], None]) -> None:
        assert topic not in self.handlers
        self.handlers[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        del self.handlers[topic]


def test_all_that_listen_are_told_until_they_ignore_it() -> None:
    client: Any = Client()
    told: list[str] = []
    first, second = (lambda a: told.append(f"1 {a}")), (lambda a: told.append(f"2 {a}"))
    for hear in (first, second):
        retirements_of(client).listen("tcp://w", hear)
    client.handlers["tcp://w"]((0.0, REFUSED))
    retirements_of(client).ignore("tcp://w", first)
    client.handlers["tcp://w"]((0.0, REFUSED))
    client.handlers["tcp://w"]((0.0, {"action": "something-else"}))
    retirements_of(client).ignore("tcp://w", second)
    assert told == ["1 tcp://w", "2 tcp://w", "2 tcp://w"]
    assert not client.handlers


def test_a_client_that_is_done_with_is_not_kept() -> None:
    client: Any = Client()
    retirements_of(client).listen("tcp://w", print)
    watch = weakref.ref(client)
    del client
    gc.collect()
    assert watch() is None
