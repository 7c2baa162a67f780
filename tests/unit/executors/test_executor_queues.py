"""Which worker the waiting jobs are for, where hosts have sites and open sessions."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from fleetrun.executors import queues
from fleetrun.executors.ledger import Ledger
from fleetrun.executors.line import site_of
from fleetrun.executors.queues import Queues
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import Exec


def job(name: str) -> Job:
    """Return a job on a host whose site is the first letter of its name; `n` is for none."""
    site = {} if name[0] == "n" else {"site": name[0]}
    return Job(host=Host(name=name, vars=site), operation=Exec(command="true"))


class Worker:
    """A worker's place."""

    def __init__(self, *sites: str) -> None:
        self.sites = frozenset(sites)
        self.jobs: dict[str, Job] = {}


def queues_of(names: Sequence[str], homes: dict[str, Worker]) -> tuple[Ledger, Any]:
    ledger = Ledger([job(name) for name in names])
    crew: Any = SimpleNamespace(home_of=homes.get)
    return ledger, Queues(ledger, crew, "site")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "_PATIENCE_S", 0.0)


def test_a_worker_that_may_take_nothing_of_what_waits_does_not_wait_for_it() -> None:
    """Else the supervisor would look again and again, without a pause, until the others end."""
    busy, idle = Worker("a"), Worker("b")
    _, waiting = queues_of(["a1", "a2"], {"a1": busy, "a2": busy})
    busy.jobs = {"a0": job("a0")}
    assert waiting.take(idle, 4) == []
    assert waiting.patience_s == math.inf


def test_an_idle_worker_takes_what_others_have_open_at_its_own_site() -> None:
    busy, idle = Worker("a"), Worker("a")
    _, waiting = queues_of(["a1", "n1"], {"a1": busy, "n1": busy})
    assert waiting.take(idle, 4) == []
    assert waiting.patience_s == 0.0
    assert [taken.host.name for taken in waiting.take(idle, 4)] == ["a1", "n1"]


def test_a_worker_has_a_share_when_something_is_for_it() -> None:
    here, there, elsewhere = Worker("a"), Worker("b"), Worker("c")
    _, waiting = queues_of(["a1", "b1"], {"b1": there})
    assert [waiting.has_for(each) for each in (here, there, elsewhere)] == [True, True, False]
    waiting.take(here, 1)
    assert not waiting.has_for(here)


@pytest.mark.parametrize("seed", range(20))
def test_the_count_of_what_waits_is_right_whatever_was_done(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    workers = [Worker("a"), Worker("b"), Worker("a", "b"), Worker()]
    names = [f"{chance.choice('abn')}{number}" for number in range(60)]
    homes = {name: chance.choice(workers) for name in names if chance.random() < 0.5}
    ledger, waiting = queues_of(names, homes)
    taken: list[Job] = []
    for _ in range(60):
        match chance.randrange(4):
            case 0 | 1:
                taken += waiting.take(chance.choice(workers), chance.randrange(4))
            case 2:
                waiting.give_back([taken.pop() for _ in range(min(2, len(taken)))])
            case 3:
                waiting.close(chance.choice(workers))
        expected = Counter(site_of(each.host, "site") for each in ledger.waiting_jobs)
        assert waiting.waiting() == expected
    rest = ledger.waiting_jobs
    assert {each.host.name for each in waiting.take_all("a")} == {
        each.host.name for each in rest if each.host.name[0] == "a"
    }
    assert "a" not in waiting.waiting()
    while ledger.take() is not None:
        pass
    assert not waiting.waiting()
