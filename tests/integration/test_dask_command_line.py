"""`--mode dask --scheduler …` from two sites: one has keys of its own, the other has none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from dask_cluster import Cluster, DaskWorker
from servers import ServerAccount, wait_until

pytestmark = [pytest.mark.long, pytest.mark.sshd]

HOSTS = {"a1": "ams", "a2": "ams", "b1": "ber", "b2": "ber"}
BOUND_S = 10.0
"""Ctrl-C to the end: 3 s for the hosts, a few more for closing the lines, and a slow machine."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def workers(cluster: Cluster, sshd: ServerAccount) -> list[DaskWorker]:
    """Return the workers of two sites, at home in folders of their own."""
    homes = [cluster.folder / site for site in ("ams", "ber")]
    for home in homes:
        (home / ".ssh").mkdir(parents=True, mode=0o700)
    move_in(sshd, homes[0])
    return [cluster.worker(home.name, env={"HOME": str(home)}, cwd=home) for home in homes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Somebody who types commands, in a home with an inventory of hosts at two sites."""

    home: Path
    options: list[str] = field(default_factory=list)

    def begin(self, command: str, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fleetrun", command, *words, "-i", "hosts.yaml", *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env={**os.environ, "HOME": str(self.home)},
            process_group=0,
        )

    def types(self, command: str, *words: str, exit_code: int = 0) -> tuple[str, str]:
        """Return what the command writes to standard output, and to standard error."""
        with self.begin(command, *words) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == exit_code, (out, err)
        return out, err


@pytest.fixture
def operator(
    cluster: Cluster, workers: list[DaskWorker], sshd: ServerAccount, tmp_path: Path
) -> Operator:
    """Return one who has no keys."""
    assert len(workers) == 2
    assert cluster.tls is not None
    (tmp_path / ".ssh").mkdir(mode=0o700)
    address = {"ansible_host": sshd.address, "ansible_port": sshd.port, "ansible_user": sshd.user}
    hosts = {name: {**address, "site": site} for name, site in HOSTS.items()}
    (tmp_path / "hosts.yaml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    options = ["--mode", "dask", "--scheduler", str(cluster.file)]
    options += ["--tls-ca-file", str(cluster.tls.ca), "--tls-cert", str(cluster.tls.certificate)]
    return Operator(home=tmp_path, options=[*options, "--tls-key", str(cluster.tls.key)])


def move_in(account: ServerAccount, home: Path) -> None:
    """Put the account's key and known_hosts where ssh looks for them in a home."""
    shutil.copy(account.private_key, home / ".ssh" / "id_ed25519")
    shutil.copy(account.known_hosts, home / ".ssh" / "known_hosts")


def results_in(document: str) -> dict[str, dict[str, Any]]:
    return {result["host"]: result for result in json.loads(document)["results"]}


def test_each_host_is_reached_from_its_site_with_the_keys_of_the_worker_there(
    operator: Operator,
) -> None:
    out, err = operator.types(
        "exec", "echo up", "--site-key", "site", "--format", "json", exit_code=4
    )
    results = results_in(out)
    assert {name: results[name]["stdout"] for name in ("a1", "a2")} == {"a1": "up\n", "a2": "up\n"}
    assert {results[name]["phase"] for name in ("b1", "b2")} == {"hostkey"}
    assert [line.split(":")[0] for line in err.splitlines()] == ["b1, b2", "4 hosts"]


def test_a_site_without_a_worker_is_a_mistake_in_the_call(operator: Operator) -> None:
    out, err = operator.types("exec", "true", "-e", "site=par", "--site-key", "site", exit_code=2)
    assert out == ""
    assert err.startswith("fleetrun: error: no Dask worker is at the site 'par' (site of 4 hosts)")
    assert len(err.splitlines()) == 1


def test_files_go_there_and_back_with_the_operators_keys(
    operator: Operator, sshd: ServerAccount
) -> None:
    move_in(sshd, operator.home)
    there = operator.home / "there"
    there.mkdir()
    (operator.home / "motd").write_text("from home\n")
    keys = ("--keys-from", "operator")
    operator.types("put", "motd", f"{there}/{{host}}", "--template", *keys)
    assert {path.name: path.read_text() for path in there.iterdir()} == dict.fromkeys(
        HOSTS, "from home\n"
    )
    operator.types("get", f"{there}/a1", "got", *keys)
    got = [path for path in (operator.home / "got").rglob("*") if path.is_file()]
    assert {path.relative_to(operator.home / "got").parts[0] for path in got} == HOSTS.keys()
    assert {path.read_text() for path in got} == {"from home\n"}
    out, _ = operator.types("exec", "echo up", *keys)
    assert sorted(out.splitlines()) == [f"{name}: up" for name in HOSTS]


def test_what_dask_logs_goes_to_the_debug_log_and_nowhere_else(
    operator: Operator, sshd: ServerAccount
) -> None:
    move_in(sshd, operator.home)
    words = ("echo up", "--keys-from", "operator", "--format", "json", "--debug-log", "log")
    out, err = operator.types("exec", *words)
    assert results_in(out).keys() == HOSTS.keys()
    (summary,) = err.splitlines()
    assert summary.startswith("4 hosts: 4 ok in ")
    log = operator.home / "log"
    written = log.read_text()
    dask_lines = [line for line in written.splitlines() if " distributed." in line]
    assert not [line for line in dask_lines if " DEBUG: " in line]  # those have whole messages
    assert " fleetrun.ssh.transport DEBUG: " in written  # from the workers
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_ctrl_c_ends_what_runs_and_leaves_no_worker_process(
    operator: Operator, sshd: ServerAccount, workers: list[DaskWorker]
) -> None:
    move_in(sshd, operator.home)
    words = ("echo begun; sleep 20", "--keys-from", "operator")
    with operator.begin("exec", *words) as process:
        assert process.stdout is not None
        begun = {process.stdout.readline() for _ in HOSTS}
        assert begun == {f"{name}: begun\n" for name in HOSTS}
        assert all(worker.descendants() for worker in workers)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 130
    assert err.splitlines()[0].startswith("fleetrun: stopping: ")
    assert err.splitlines()[1].startswith("a1, a2, b1, b2: ")
    wait_until(lambda: not any(worker.descendants() for worker in workers))
