"""Thousands of hosts over a cluster of which a part dies: one result each, none touched twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from dask_cluster import Cluster
from simulated_hosts import Counts, SimulatedHosts

from fleetrun import Fleet
from fleetrun.events import Finished
from fleetrun.executors import vigil
from fleetrun.executors.cluster import Dask
from fleetrun.operations import Exec
from fleetrun.results import Outcome

HOSTS = 5_000
FORKS = 200
ONCE = Counts(connections=1, logins=1, begun=1, ended=1, left=1)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_worker_is_killed_and_one_added_and_no_host_is_contacted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "ANSWER_BOUND_S", 300.0)  # the machine has more to do than this
    with (
        Cluster(tmp_path) as cluster,
        SimulatedHosts(tmp_path, processes=2) as simulated,
        cluster.client() as client,
    ):
        doomed, _ = cluster.workers(2)
        hosts = simulated.hosts(HOSTS)
        fleet = Fleet(hosts, mode=Dask(client), forks=FORKS)
        results = []
        for event in fleet.events(Exec(command="true")):
            if isinstance(event, Finished):
                results.append(event.result)
            if len(results) == HOSTS // 4 and not doomed.has_ended:
                doomed.kill()
            if len(results) == HOSTS // 2 and len(cluster.roll().came) == 2:
                cluster.worker()
        simulated.await_total(left=simulated.total().connections)
        counts = simulated.counts()

    assert len(results) == HOSTS
    assert {result.host for result in results} == {host.name for host in hosts}
    outcomes = Counter(result.outcome for result in results)
    assert outcomes.keys() == {Outcome.OK, Outcome.LOST}
    assert 0 < outcomes[Outcome.LOST] <= FORKS // 2
    assert max(count.connections for count in counts.values()) == 1
    assert max(count.begun for count in counts.values()) == 1
    addresses = {host.name: host.address for host in hosts}
    for result in results:
        if result.ok:
            assert counts[addresses[result.host]] == ONCE
        else:
            assert result.may_still_run
            assert "nothing is heard any more of tls://127.0.0.1" in str(result.error)
    assert len({result.process for result in results if result.ok}) == 3
