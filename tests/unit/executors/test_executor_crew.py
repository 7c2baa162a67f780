"""The workers of a run as a crew: nothing of them is left, whatever comes between."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

import pytest

from fleetrun.executors.crew import Crew
from fleetrun.executors.line import Line, Opening, Site
from fleetrun.executors.mode import Mode, Plan
from fleetrun.hosts import Host, KeysFrom
from fleetrun.testing import FakeConnect


class Quiet:
    """A line to nobody, which notes what is done to it; its end is interrupted by Ctrl-C."""

    sites: frozenset[str] = frozenset()
    is_leaving = False
    is_idle = False
    is_exact = True
    departed_bytes = 0

    def __init__(self, done: list[str]) -> None:
        self._done = done
        self._socket, self._other = socket.socketpair()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytearray) -> int:
        return len(data)

    def receive(self) -> bytes:
        return b""

    def kill(self) -> None:
        self._done.append("killed")

    def hang_up(self) -> None:
        self._done.append("hung up")
        self._socket.close()
        self._other.close()

    def wait(self) -> str:
        self._done.append("waited")
        raise KeyboardInterrupt


class Somewhere:
    """A place, and its workplace, with lines like that."""

    is_away = False
    site_key = None
    keys_from = KeysFrom.WORKER
    patience_s = 0.0

    def __init__(self) -> None:
        self.done: list[str] = []

    def capacity(self) -> int:
        return 2

    def check(self, hosts: Sequence[Host]) -> None:
        pass

    def open(self) -> Somewhere:
        return self

    def openings(
        self, wanted: Mapping[Site, int], *, planned: int, hired: int
    ) -> Sequence[Opening]:
        del wanted
        return [self.start] * (planned - hired)

    def start(self) -> Line:
        return Quiet(self.done)

    def serves(self, site: Site) -> bool:
        del site
        return True

    def close(self) -> None:
        self.done.append("closed")


def test_a_ctrl_c_while_workers_are_waited_for_leaves_none_of_them_behind() -> None:
    place = Somewhere()
    crew = Crew(Plan(mode=Mode.DASK, workers=2, width=1, place=place), FakeConnect())
    crew.hire(place.start)
    crew.hire(place.start)
    with pytest.raises(KeyboardInterrupt):
        crew.close()
    assert place.done == ["hung up", "hung up", "waited", "waited", "closed"]
