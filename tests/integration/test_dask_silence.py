"""A Dask worker that stands still for a while, and a client that is closed: nothing runs twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import Cluster
from distributed import Client

from fleetrun import Fleet, Host
from fleetrun.errors import FleetrunError
from fleetrun.events import Finished, PhaseReached
from fleetrun.executors.cluster import Dask
from fleetrun.executors.cluster.workplace import DaskWorkplace
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

COMMAND = Exec(command="true", live=True)
LEASE_S = 3.0
SIGN_S = 1.0  # the third of a lease: a line is given up when both have passed


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as cluster:
        yield cluster


def hosts(count: int) -> list[Host]:
    return [Host(name=f"h{number}", user="deploy") for number in range(count)]


@pytest.mark.parametrize(
    ("still_s", "is_given_up"),
    [
        pytest.param(LEASE_S / 2, False, id="shorter-than-the-lease"),
        pytest.param(LEASE_S + SIGN_S / 2, False, id="longer-than-the-outposts-patience"),
        pytest.param(LEASE_S + 3 * SIGN_S, True, id="longer-than-ours"),
    ],
)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "via-scheduler"])
def test_a_dask_worker_that_stands_still_makes_nothing_run_twice(
    still_s: float,
    is_given_up: bool,  # noqa: FBT001 (a parameter of the test)
    direct: bool,  # noqa: FBT001 (likewise)
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    """Its worker process goes on all the while, and what it says is heard by nobody."""
    still, _ = cluster.workers(2)
    log = tmp_path / "log"
    log.touch()
    connect = FakeConnect(others=FakeHost(log=log, takes_s=0.5))
    results = []
    with cluster.client() as client:
        client.direct_to_workers = direct
        fleet = Fleet(hosts(60), mode=Dask(client, lease_s=LEASE_S), forks=4, connect=connect)
        stopper: threading.Thread | None = None
        for event in fleet.events(COMMAND):
            if isinstance(event, Finished):
                results.append(event.result)
            if stopper is None and len(results) == 8:
                still.stop()
                stopper = threading.Timer(still_s, still.go_on)
                stopper.start()
        assert stopper is not None
        stopper.join()
    assert len({result.host for result in results}) == len(results) == 60
    runs = Counter(log.read_text().split())
    assert max(runs.values()) == 1
    outcomes = Counter(result.outcome for result in results)
    if is_given_up:
        assert outcomes == {Outcome.OK: 58, Outcome.LOST: 2}
    else:
        assert outcomes == {Outcome.OK: 60}
        assert len(runs) == 60


def test_what_runs_is_finished_when_the_client_has_given_up_its_scheduler(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that cannot find its scheduler again closes itself, and its connections."""
    monkeypatch.setattr(DaskWorkplace, "patience_s", 1.0)
    cluster.workers(2)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    held = FakeHost(rendezvous=Rendezvous(folder=meeting, count=5, patience_s=60.0))
    outcomes: Counter[Outcome] = Counter()
    with Client(
        cluster.address, security=cluster.security(), set_as_default=False, timeout=2
    ) as client:
        client.direct_to_workers = True
        fleet = Fleet(hosts(4), mode=Dask(client), connect=FakeConnect(others=held))
        for event in fleet.events(COMMAND):
            if not cluster.scheduler.has_ended and len(list(meeting.iterdir())) == 4:
                cluster.scheduler.kill()
                cluster.wait_until(lambda: client.status == "closed", "it does not give up")
                (meeting / "somebody").touch()
            if isinstance(event, Finished):
                outcomes[event.result.outcome] += 1
        client._loop_runner.stop()  # which it leaves running when it closes itself
    assert outcomes == {Outcome.OK: 4}


def test_what_ran_when_the_client_was_closed_is_lost(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what did not is not run; the run ends."""
    monkeypatch.setattr(DaskWorkplace, "patience_s", 1.0)
    cluster.workers(2)
    log = tmp_path / "log"
    log.touch()
    connect = FakeConnect(others=FakeHost(log=log, takes_s=30.0))
    results = []
    with cluster.client() as client:
        fleet = Fleet(hosts(40), mode=Dask(client, lease_s=LEASE_S), forks=4, connect=connect)
        running = set()
        for event in fleet.events(COMMAND):
            if isinstance(event, PhaseReached) and event.phase is Phase.RUN:
                running.add(event.host)
                if len(running) == 4:
                    client.close()
            if isinstance(event, Finished):
                results.append(event.result)
    lost = {result.host for result in results if result.outcome is Outcome.LOST}
    assert lost >= running
    assert len(results) == 40
    assert {r.outcome for r in results} == {Outcome.LOST, Outcome.NOT_RUN}
    assert set(log.read_text().split()) <= lost
    with pytest.raises(FleetrunError, match="closed"):
        fleet.exec("true")
