"""The mode dask over real schedulers and workers: what each death, arrival and farewell means."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_cluster import Cluster, DaskWorker
from distributed import Client
from servers import is_alive

from fleetrun import Fleet, Host, Secret
from fleetrun.errors import UsageError
from fleetrun.events import Finished, PhaseReached, Started
from fleetrun.executors import mode
from fleetrun.executors.cluster import Dask, dask
from fleetrun.executors.cluster.workplace import DaskWorkplace, Slot
from fleetrun.executors.line import Line
from fleetrun.hosts import KeysFrom
from fleetrun.operations import Exec
from fleetrun.results import Outcome, Phase, Report
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

COMMAND = Exec(command="true", live=True)
PATIENCE_S = 60.0


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with cluster.client() as client:
        client.direct_to_workers = True
        yield client


@pytest.fixture(params=[True, False], ids=["direct", "via-scheduler"])
def any_client(request: pytest.FixtureRequest, client: Client) -> Client:
    """A client that speaks to the workers itself, or through the scheduler."""
    client.direct_to_workers = request.param
    return client


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as cluster:
        yield cluster


def hosts(count: int) -> list[Host]:
    return [Host(name=f"h{number}", user="deploy") for number in range(count)]


def outcomes(report: Report) -> Counter[Outcome]:
    return Counter(result.outcome for result in report)


def arrived(folder: Path) -> dict[str, int]:
    """Return which hosts wait at a rendezvous, and in which process each of them."""
    return {
        note.name: int(text)
        for note in folder.iterdir()
        if (text := note.read_text()).endswith("\n")
    }


def test_all_hosts_are_done_by_all_workers(cluster: Cluster, any_client: Client) -> None:
    cluster.workers(2)
    connect = FakeConnect(others=FakeHost(stdout=b"up\n"))
    with Fleet(hosts(600), mode=Dask(any_client), connect=connect) as fleet:
        first, second = fleet.exec("true"), fleet.exec("true")
    for report in (first, second):
        assert outcomes(report) == {Outcome.OK: 600}
        assert {result.stdout for result in report} == {b"up\n"}
    assert {r.process for r in second} <= {r.process for r in first}  # the sessions are theirs


def test_what_a_killed_worker_may_have_begun_is_lost_and_all_else_runs_once(
    cluster: Cluster, any_client: Client, tmp_path: Path
) -> None:
    meeting, log = tmp_path / "meeting", tmp_path / "log"
    meeting.mkdir()
    doomed, spared = cluster.workers(2)
    held = FakeHost(rendezvous=Rendezvous(folder=meeting, count=9), log=log)
    connect = FakeConnect({f"h{n}": held for n in range(8)}, others=FakeHost(log=log))
    fleet = Fleet(hosts(200), mode=Dask(any_client), forks=8, connect=connect)
    events = []
    for event in fleet.events(COMMAND):
        events.append(event)
        if len(arrived(meeting)) == 8 and not doomed.has_ended:
            doomed.kill()
            (meeting / "somebody").touch()
    results = [event.result for event in events if isinstance(event, Finished)]
    assert len(results) == len({result.host for result in results}) == 200
    lost = [result for result in results if result.outcome is Outcome.LOST]
    assert len(lost) == 4
    assert all(result.may_still_run for result in lost)
    assert all("nothing is heard any more of tls://127.0.0.1" in str(r.error) for r in lost)
    assert Counter(r.outcome for r in results) == {Outcome.OK: 196, Outcome.LOST: 4}
    assert max(Counter(log.read_text().split()).values()) == 1
    assert not spared.has_ended


def test_a_host_that_logs_in_when_its_worker_is_lost_may_have_gone_on(
    cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    """What is known of it is only what came through: it is not called unreachable."""
    (doomed,) = cluster.workers(1)
    connect = FakeConnect(others=FakeHost(logins=tmp_path / "logins", takes_s=PATIENCE_S))
    fleet = Fleet(hosts(2), mode=Dask(client), connect=connect)
    lost = []
    for event in fleet.events(COMMAND):
        if isinstance(event, Started) and not doomed.has_ended:
            doomed.stop()
            doomed.kill()
            cluster.workers(1)
        if isinstance(event, Finished):
            lost.append(event.result)
    assert [(result.outcome, result.may_still_run) for result in lost] == [(Outcome.LOST, True)] * 2


def test_the_death_of_a_worker_process_alone_is_known_exactly(
    cluster: Cluster, client: Client
) -> None:
    cluster.workers(1)
    connect = FakeConnect({"h3": FakeHost(kills_worker_in=Phase.KEX)})
    report = Fleet(hosts(8), mode=Dask(client), forks=1, connect=connect).exec("true")
    assert outcomes(report) == {Outcome.OK: 7, Outcome.UNREACHABLE: 1}
    assert "killed by SIGKILL" in str(report["h3"].error)


def test_a_worker_that_joins_is_used(
    cluster: Cluster, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker is full of hosts that wait for one more, which only a second can begin."""
    monkeypatch.setattr(mode, "DEFAULT_AWAY", 4)
    cluster.workers(1)
    held = FakeHost(rendezvous=Rendezvous(folder=tmp_path / "meeting", count=5, patience_s=60.0))
    (tmp_path / "meeting").mkdir()
    fleet = Fleet(hosts(12), mode=Dask(client), connect=FakeConnect(others=held))
    results = []
    for event in fleet.events(COMMAND):
        if isinstance(event, Started) and len(cluster.roll().came) == 1:
            cluster.workers(1)
        if isinstance(event, Finished):
            results.append(event.result)
    assert Counter(result.outcome for result in results) == {Outcome.OK: 12}
    assert len({result.process for result in results}) == 2


@pytest.mark.parametrize("how", ["retire_workers", "lifetime"])
def test_a_worker_that_leaves_politely_finishes_what_runs_and_gets_no_more(
    how: str, cluster: Cluster, client: Client, tmp_path: Path
) -> None:
    leaving, staying = cluster.workers(2)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    held = FakeHost(rendezvous=Rendezvous(folder=meeting, count=7, patience_s=PATIENCE_S))
    others = FakeHost(takes_s=0.02)
    connect = FakeConnect({f"h{n}": held for n in range(6)}, others=others)
    fleet = Fleet(hosts(300), mode=Dask(client), forks=6, connect=connect)
    asked: threading.Thread | None = None
    results = []
    for event in fleet.events(COMMAND):
        if asked is None and len(arrived(meeting)) == 6:
            asked = threading.Thread(target=_ask_to_leave, args=(how, client, leaving))
            asked.start()
            asked.join(1.0)
            (meeting / "somebody").write_text("")
        if isinstance(event, Finished):
            results.append(event.result)
    assert Counter(result.outcome for result in results) == {Outcome.OK: 300}
    shares = Counter(result.process for result in results)
    assert min(shares.values()) < 30  # what it had, and what it was given before it was heard of
    assert asked is not None
    asked.join()
    cluster.wait_until(lambda: leaving.has_ended, "it was asked to leave and is still there")
    assert not staying.has_ended


@pytest.mark.parametrize("how", ["retire_workers", "lifetime"])
def test_a_worker_leaves_a_fleet_that_does_nothing(
    how: str, cluster: Cluster, client: Client
) -> None:
    """Though its sessions are open: they wait for the next call, which may be never."""
    leaving, staying = cluster.workers(2)
    with Fleet(hosts(20), mode=Dask(client, lease_s=3.0), connect=FakeConnect()) as fleet:
        assert outcomes(fleet.exec("true")) == {Outcome.OK: 20}
        _ask_to_leave(how, client, leaving)
        cluster.wait_until(lambda: leaving.has_ended, "it was asked to leave and is still there")
        assert outcomes(fleet.exec("true")) == {Outcome.OK: 20}
    assert not staying.has_ended


def _ask_to_leave(how: str, client: Client, worker: DaskWorker) -> None:
    if how == "retire_workers":
        client.retire_workers([worker.address])
    else:  # as `dask worker --lifetime` does
        client.run(_close_gracefully, workers=[worker.address], wait=False)


async def _close_gracefully(dask_worker: object) -> None:
    await dask_worker.close_gracefully()  # type: ignore[attr-defined]


_SCRIPT = """
    import sys
    from pathlib import Path, PosixPath
    from distributed import Client, Security
    from fleetrun import Fleet, Host
    from fleetrun.executors.cluster import Dask
    from fleetrun.testing import *

    address, ca, cert, key, lease_s, folder = sys.argv[1:]
    security = Security(
        tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True
    )
    meeting = Rendezvous(folder=Path(folder), count=99, patience_s=3600)
    client = Client(address, security=security, direct_to_workers=True)
    fleet = Fleet(
        [Host(name=f"h{number}") for number in range(4)],
        mode=Dask(client, lease_s=float(lease_s)),
        connect=FakeConnect(others=FakeHost(rendezvous=meeting)),
    )
    fleet.exec("true")
"""


@pytest.mark.parametrize(
    ("number", "lease_s"),
    [
        pytest.param(signal.SIGKILL, 3600.0, id="killed"),
        pytest.param(signal.SIGSTOP, 1.0, id="silent"),
    ],
)
def test_the_worker_processes_end_soon_after_the_client(
    number: signal.Signals, lease_s: float, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.workers(2)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    assert cluster.tls is not None
    files = [cluster.tls.ca, cluster.tls.certificate, cluster.tls.key]
    run = subprocess.Popen(
        [
            *(sys.executable, "-c", textwrap.dedent(_SCRIPT), cluster.address),
            *(*map(str, files), str(lease_s), str(meeting)),
        ]
    )
    try:
        cluster.wait_until(lambda: len(arrived(meeting)) == 4, "they did not begin")
        pids = set(arrived(meeting).values())
        assert all(map(is_alive, pids))
        os.kill(run.pid, number)
        cluster.wait_until(lambda: not any(map(is_alive, pids)), "they outlive their client")
    finally:
        run.kill()
        run.wait()


def test_a_caller_who_is_slow_is_waited_for_and_nothing_ends_meanwhile(
    cluster: Cluster, any_client: Client, tmp_path: Path
) -> None:
    """Far longer than the lease: signs of life go on while the caller does something else."""
    cluster.workers(1)
    tally = tmp_path / "tally"
    tally.touch()
    chatty = FakeHost(stdout=b"x" * 100_000, stdout_times=400, tally=tally)
    dask = Dask(any_client, lease_s=1.0)
    fleet = Fleet(hosts(4), mode=dask, connect=FakeConnect(others=chatty))
    sizes = []
    for event in fleet.events(COMMAND):
        if not sizes and isinstance(event, PhaseReached) and event.phase is Phase.RUN:
            time.sleep(3.0)
            sizes.append(tally.stat().st_size)
            time.sleep(6.0)
            sizes.append(tally.stat().st_size)
        if isinstance(event, Finished):
            assert event.result.ok
    assert sizes[0] == sizes[1] < 4 * 400 / 4  # what is on the way, and no more
    assert tally.stat().st_size == 4 * 400


def test_what_runs_is_finished_when_the_scheduler_dies(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DaskWorkplace, "patience_s", 2.0)
    cluster.workers(2)
    held = FakeHost(rendezvous=Rendezvous(folder=tmp_path / "meeting", count=7))
    (tmp_path / "meeting").mkdir()
    connect = FakeConnect({f"h{n}": held for n in range(6)}, others=FakeHost())
    results = []
    with cluster.client() as client:
        client.direct_to_workers = True
        fleet = Fleet(hosts(50), mode=Dask(client), forks=6, connect=connect)
        for event in fleet.events(COMMAND):
            if len(arrived(tmp_path / "meeting")) == 6 and not cluster.scheduler.has_ended:
                cluster.scheduler.kill()
                time.sleep(0.5)
                (tmp_path / "meeting" / "somebody").write_text("")
            if isinstance(event, Finished):
                results.append(event.result)
    assert len(results) == 50
    held_results = [result for result in results if result.host in {f"h{n}" for n in range(6)}]
    assert [(result.outcome, result.error) for result in held_results] == [(Outcome.OK, None)] * 6
    assert {result.outcome for result in results} <= {Outcome.OK, Outcome.NOT_RUN}


@pytest.mark.parametrize("package", ["fleetrun", "paramiko"])
def test_a_worker_with_another_version_is_an_error_that_names_both(
    package: str, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.worker()
    cluster.worker(versions={package: "9.9.9"})
    log = tmp_path / "log"
    with cluster.client() as client:
        fleet = Fleet(hosts(8), mode=Dask(client), connect=FakeConnect(others=FakeHost(log=log)))
        with pytest.raises(UsageError, match=rf"has {package} 9\.9\.9, and this process has [0-9]"):
            fleet.exec("true")
    assert not log.exists()


def test_a_worker_without_fleetrun_is_an_error(cluster: Cluster) -> None:
    cluster.worker(has_fleetrun=False)
    with cluster.client() as client:
        fleet = Fleet(hosts(8), mode=Dask(client), connect=FakeConnect())
        with pytest.raises(UsageError, match="has no fleetrun, and this process has"):
            fleet.exec("true")


def test_one_that_joins_with_another_version_is_not_used(cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker()
    held = FakeHost(rendezvous=Rendezvous(folder=tmp_path / "meeting", count=3))
    (tmp_path / "meeting").mkdir()
    connect = FakeConnect({"h0": held, "h1": held})
    processes = set()
    with cluster.client() as client:
        fleet = Fleet(hosts(40), mode=Dask(client), forks=2, connect=connect)
        for event in fleet.events(COMMAND):
            if isinstance(event, Started) and len(cluster.roll().came) == 1:
                cluster.worker(versions={"fleetrun": "9.9.9"})
                time.sleep(2.5)
                (tmp_path / "meeting" / "somebody").write_text("")
            if isinstance(event, Finished):
                processes.add(event.result.process)
    assert len(processes) == 1


def test_hosts_are_worked_on_at_their_site(cluster: Cluster) -> None:
    cluster.worker("anywhere")
    cluster.worker("ams-0")
    cluster.worker("w3", resources={"ber": 1})
    sites = {f"h{n}": (None, "ams", "ber")[n % 3] for n in range(90)}
    all_hosts = [
        Host(name=name, user="deploy", vars={"site": site} if site else {})
        for name, site in sites.items()
    ]
    with cluster.client() as client:
        fleet = Fleet(all_hosts, mode=Dask(client, site_key="site"), connect=FakeConnect())
        report = fleet.exec("true")
    assert outcomes(report) == {Outcome.OK: 90}
    by_site = {
        site: {report[name].process for name, its in sites.items() if its == site}
        for site in ("ams", "ber")
    }
    assert [len(processes) for processes in by_site.values()] == [1, 1]
    assert by_site["ams"] != by_site["ber"]


@pytest.mark.parametrize("forks", [None, 6])
def test_one_site_may_have_all_hosts_that_are_worked_on_at_once(
    forks: int | None, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.worker("ams")
    cluster.worker("ber")
    (tmp_path / "meeting").mkdir()
    held = FakeHost(rendezvous=Rendezvous(folder=tmp_path / "meeting", count=6))
    all_hosts = [Host(name=f"h{n}", vars={"site": "ams"}) for n in range(6)]
    with cluster.client() as client:
        place = Dask(client, site_key="site")
        report = Fleet(all_hosts, mode=place, forks=forks, connect=FakeConnect(others=held)).exec(
            "true"
        )
    assert outcomes(report) == {Outcome.OK: 6}


def test_no_more_workers_are_started_than_hosts_are_worked_on_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.workers(2, nthreads=4)
    started: list[Line] = []
    start = DaskWorkplace.start

    def noted(workplace: DaskWorkplace, slot: Slot) -> Line:
        started.append(start(workplace, slot))
        return started[-1]

    monkeypatch.setattr(DaskWorkplace, "start", noted)
    with cluster.client() as client:
        fleet = Fleet(hosts(40), mode=Dask(client), forks=3, connect=FakeConnect())
        assert outcomes(fleet.exec("true")) == {Outcome.OK: 40}
    assert len(started) == 3


def test_a_site_without_a_worker_is_an_error_before_any_host_is_contacted(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.worker("ams")
    all_hosts = [Host(name=name, vars={"site": name[:3]}) for name in ("ams1", "ber1", "ber2")]
    log = tmp_path / "log"
    with cluster.client() as client:
        fleet = Fleet(
            all_hosts,
            mode=Dask(client, site_key="site"),
            connect=FakeConnect(others=FakeHost(log=log)),
        )
        with pytest.raises(UsageError, match=r"no Dask worker is at the site 'ber' \(site of 2"):
            fleet.exec("true")
    assert not log.exists()


def test_hosts_of_a_site_whose_last_worker_died_are_not_run_anywhere_else(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DaskWorkplace, "patience_s", 2.0)
    cluster.worker("ber")
    doomed = cluster.worker("ams")
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    held = FakeHost(rendezvous=Rendezvous(folder=meeting, count=2, patience_s=PATIENCE_S))
    all_hosts = [Host(name=f"ams{n}", vars={"site": "ams"}) for n in range(10)]
    all_hosts += [Host(name=f"ber{n}", vars={"site": "ber"}) for n in range(10)]
    results = {}
    with cluster.client() as client:
        fleet = Fleet(
            all_hosts,
            mode=Dask(client, site_key="site"),
            forks=2,
            connect=FakeConnect({"ams0": held}),
        )
        for event in fleet.events(COMMAND):
            if "ams0" in arrived(meeting) and not doomed.has_ended:
                doomed.kill()
            if isinstance(event, Finished):
                results[event.host] = event.result
    assert Counter(r.outcome for r in results.values()) == {
        Outcome.OK: 10,
        Outcome.LOST: 1,
        Outcome.NOT_RUN: 9,
    }
    assert results["ams0"].outcome is Outcome.LOST
    assert "at the site 'ams'" in str(results["ams9"].error)


def test_secrets_travel_encrypted_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(tmp_path, tls=False) as cluster, cluster.client() as client:
        cluster.worker()
        secret = Host(name="h", password=Secret("x"))
        assert Fleet([secret], mode=Dask(client), connect=FakeConnect()).exec("true").ok
        monkeypatch.setattr(dask, "_is_private", lambda address: "tls:" in address)
        for each, what in (
            (Dask(client), "the hosts' passwords"),
            (Dask(client, keys_from=KeysFrom.OPERATOR), "your private keys"),
        ):
            fleet = Fleet([secret], mode=each, connect=FakeConnect())
            with pytest.raises(UsageError, match=f"{what} would travel unencrypted to tcp://"):
                fleet.exec("true")


def test_a_worker_that_joins_in_the_clear_is_given_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mode, "DEFAULT_AWAY", 2)
    held = FakeHost(rendezvous=Rendezvous(folder=tmp_path / "meeting", count=3))
    (tmp_path / "meeting").mkdir()
    connect = FakeConnect({"h0": held, "h1": held})
    processes = set()
    with Cluster(tmp_path, tls=False) as cluster, cluster.client() as client:
        trusted = {cluster.address, cluster.worker().address}
        monkeypatch.setattr(dask, "_is_private", lambda address: address in trusted)
        secret = [dataclasses.replace(host, password=Secret("x")) for host in hosts(40)]
        for event in Fleet(secret, mode=Dask(client), connect=connect).events(COMMAND):
            if isinstance(event, Started) and len(cluster.roll().came) == 1:
                joined = cluster.worker().address
                cluster.wait_until(lambda it=joined: it in caplog.text, "nothing is said of it")
                (tmp_path / "meeting" / "somebody").write_text("")
            if isinstance(event, Finished):
                processes.add(event.result.process)
                assert event.result.ok
    assert len(processes) == 1
    assert f"not used: what is sent to {joined} would not be encrypted" in caplog.text


def test_a_cluster_that_is_to_be_private_and_is_not_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask, "_is_private", lambda address: "tls:" in address)
    with Cluster(tmp_path, tls=False) as cluster, cluster.client() as client:
        cluster.worker()
        for private in (False, True):
            fleet = Fleet(hosts(1), mode=Dask(client, private=private), connect=FakeConnect())
            if not private:
                assert fleet.exec("true").ok
                continue
            with pytest.raises(UsageError, match="your commands would travel unencrypted to tcp:"):
                fleet.exec("true")


def test_a_cluster_within_this_process_is_at_no_site() -> None:
    all_hosts = [Host(name="h", vars={"site": "ams"})]
    fleet = Fleet(all_hosts, mode=Dask(site_key="site"), connect=FakeConnect())
    with pytest.raises(UsageError, match="no Dask worker is at the site 'ams'"):
        fleet.exec("true")


@pytest.mark.parametrize(
    ("address", "is_private"),
    [
        ("tls://192.0.2.1:8786", True),
        ("tcp://192.0.2.1:8786", False),
        ("tcp://127.0.0.1:8786", True),
        ("tcp://127.8.9.10:1", True),
        ("tcp://[::1]:8786", True),
        ("tcp://localhost:8786", True),
        ("tcp://localhost.example.com:8786", False),
        ("inproc://192.0.2.1/1/1", True),
        ("ws://192.0.2.1:8786", False),
        ("wss://192.0.2.1:8786", True),
    ],
)
def test_what_is_sent_is_private_over_tls_or_on_this_machine(
    address: str,
    is_private: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    assert dask._is_private(address) is is_private
