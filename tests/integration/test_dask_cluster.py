"""The cluster that other tests use: what it promises them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import pytest
from dask_cluster import Cluster, DaskWorker
from servers import is_alive, wait_until
from throwaway_tls import TlsFiles, make_tls_files

import fleetrun

if TYPE_CHECKING:
    from distributed import Client  # slow to import, and a quick run leaves these tests out

pytestmark = pytest.mark.long


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as cluster:
        yield cluster


def addresses_of(client: Client) -> set[str]:
    return set(client.scheduler_info(n_workers=-1)["workers"])


def ask(client: Client, worker: DaskWorker, question: Any) -> Any:  # noqa: ANN401 (any answer)
    return client.run(question, workers=[worker.address])[worker.address]


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "tcp"])
def test_a_task_runs_on_a_worker_of_the_cluster(tls: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with Cluster(tmp_path, tls=tls) as cluster:
        one, two = cluster.workers(2)
        with cluster.client() as client:
            assert addresses_of(client) == {one.address, two.address}
            assert {ask(client, each, os.getpid) for each in (one, two)} == {one.pid, two.pid}
            assert cluster.address.startswith("tls://127.0.0.1:" if tls else "tcp://127.0.0.1:")


def test_who_shows_no_certificate_of_the_authority_is_refused(
    dask_cluster: Cluster, tmp_path: Path
) -> None:
    ours, strangers = dask_cluster.tls, make_tls_files(tmp_path)
    assert ours is not None
    for shown in (None, strangers):
        with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_REQUIRED|UNKNOWN_CA"):
            greeting(dask_cluster, shown)
    assert b"compression" in greeting(dask_cluster, ours)


def greeting(cluster: Cluster, shown: TlsFiles | None) -> bytes:
    """Return what the scheduler says first to one who shows that certificate."""
    assert cluster.tls is not None
    context = ssl.create_default_context(cafile=str(cluster.tls.ca))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    where = urlsplit(cluster.address)
    with (
        socket.create_connection((where.hostname, where.port), 30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secret,
    ):
        return secret.recv(4096)


def test_the_certificate_is_good_for_loopback_and_its_key_is_private(tmp_path: Path) -> None:
    files = make_tls_files(tmp_path)
    ssl.create_default_context(cafile=str(files.ca)).load_cert_chain(files.certificate, files.key)
    names = ssl._ssl._test_decode_cert(str(files.certificate))["subjectAltName"]  # type: ignore[attr-defined]
    assert ("DNS", "localhost") in names
    assert ("IP Address", "127.0.0.1") in names
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_a_killed_worker_is_gone_for_the_scheduler_and_one_that_comes_is_there(
    cluster: Cluster,
) -> None:
    one, two = cluster.workers(2)
    with cluster.client() as client:
        one.kill()
        assert not one.is_listed
        wait_until(lambda: addresses_of(client) == {two.address})
        three = cluster.worker()
        wait_until(lambda: addresses_of(client) == {two.address, three.address})


def test_a_retired_worker_ends_by_itself(cluster: Cluster) -> None:
    one, two = cluster.workers(2)
    one.retire()
    assert not one.is_listed
    with cluster.client() as client:
        assert addresses_of(client) == {two.address}


def test_a_worker_that_ends_leaves_the_scheduler_and_nothing_that_it_began(
    cluster: Cluster,
) -> None:
    worker = cluster.worker()
    with cluster.client() as client:
        sleeper = ask(client, worker, start_a_sleeper)
    assert [process.pid for process in worker.descendants()] == [sleeper]
    worker.end()
    assert not worker.is_listed
    wait_until(lambda: not is_alive(sleeper))


def start_a_sleeper() -> int:
    return subprocess.Popen(["sleep", "3600"]).pid


def test_a_stopped_worker_does_nothing_until_it_goes_on(cluster: Cluster) -> None:
    worker = cluster.worker()
    worker.stop()
    assert psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED
    worker.go_on()
    with cluster.client() as client:
        assert ask(client, worker, os.getpid) == worker.pid


def test_a_cluster_with_a_stopped_worker_ends_all_the_same(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        worker = cluster.worker()
        worker.stop()
    assert worker.has_ended


def test_a_cluster_without_its_scheduler_ends_all_the_same(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        one, two = cluster.workers(2)
        cluster.scheduler.kill()
        one.kill()
    assert two.has_ended


def test_a_nanny_starts_a_killed_worker_again(cluster: Cluster) -> None:
    worker = cluster.worker(nanny=True)
    before = worker.pid
    worker.kill()
    wait_until(lambda: worker.is_listed)
    assert worker.pid != before
    with cluster.client() as client:
        assert ask(client, worker, os.getpid) == worker.pid


def test_a_worker_has_the_name_resources_variables_and_folder_that_it_was_given(
    cluster: Cluster, tmp_path: Path
) -> None:
    worker = cluster.worker(
        "berlin", resources={"site-a": 1}, nthreads=3, env={"WHERE": "here"}, cwd=tmp_path
    )
    with cluster.client() as client:
        about = client.scheduler_info()["workers"][worker.address]
        assert (about["name"], about["nthreads"]) == ("berlin", 3)
        assert about["resources"] == {"site-a": 1.0}
        assert ask(client, worker, lambda: os.environ["WHERE"]) == "here"
        assert ask(client, worker, os.getcwd) == str(tmp_path)


def test_a_worker_may_have_other_versions_and_the_same_code(cluster: Cluster) -> None:
    worker = cluster.worker(versions={"fleetrun": "9.9.9", "paramiko": "0.1"})
    with cluster.client() as client:
        assert ask(client, worker, lambda: importlib.metadata.version("fleetrun")) == "9.9.9"
        assert ask(client, worker, lambda: importlib.metadata.version("paramiko")) == "0.1"
        assert ask(client, worker, lambda: fleetrun.__file__) == fleetrun.__file__


def test_a_worker_may_have_no_fleetrun(cluster: Cluster) -> None:
    worker = cluster.worker(has_fleetrun=False)

    def find() -> tuple[object, bool, bool]:
        names = {found.name for found in importlib.metadata.distributions()}
        return importlib.util.find_spec("fleetrun"), "fleetrun" in names, "paramiko" in names

    with cluster.client() as client:
        assert ask(client, worker, find) == (None, False, True)


def test_a_worker_that_does_not_start_shows_its_log(cluster: Cluster) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"(?s)worker1 has ended:.*'dask_preload'"):
        cluster.worker(env={"PYTHONPATH": ""})


def test_the_processes_end_with_the_one_that_started_them(cluster: Cluster) -> None:
    worker = cluster.worker(nanny=True)
    works = worker.pid
    for process in (worker, cluster.scheduler):
        assert process._process.stdin is not None
        process._process.stdin.close()  # as it is when this process is killed
    wait_until(lambda: worker.has_ended and cluster.scheduler.has_ended)
    wait_until(lambda: not is_alive(works))
