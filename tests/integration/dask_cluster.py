"""Dask's scheduler and workers as ordinary processes on loopback, over TLS unless told otherwise.

with Cluster(tmp_path) as cluster:
    one, two = cluster.workers(2)
    with cluster.client() as client:
        ...
    one.kill()

They differ from anybody's in one thing, a module that they load (`dask_preload`): through it the
tests learn, from the scheduler itself, which workers it has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psutil
import pytest
from dask_roll import ROLL, Roll
from servers import ADDRESS, last_lines, wait_until
from throwaway_tls import TlsFiles, make_tls_files
from worker_paths import all_but_fleetrun, other_versions

if TYPE_CHECKING:
    from distributed import Client, Security  # slow, and for those alone who ask for one

_HERE = Path(__file__).parent
_PATIENCE_S = 60.0
_END_WITHIN_S = 15.0
_POLL_S = 0.01


class DaskProcess:
    """One process of a cluster.

    Attributes:
        name: what the cluster calls it.
        log: all that it writes.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, env: Mapping[str, str], cwd: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # its end is the process's (`dask_preload`)
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self._family: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill it (SIGKILL), and nothing that it has started; return when it is gone."""
        self._family = self.descendants()  # what does not end by itself does with the cluster
        self._process.kill()
        self._process.wait(_END_WITHIN_S)

    def stop(self) -> None:
        """Let it do nothing (SIGSTOP) until `go_on`; return when it has heard."""
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)

    def go_on(self) -> None:
        """Let it go on after `stop`."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """Ask it to end (SIGTERM), wait until it has, and kill what is left of all that it began.

        It may have ended already, or be stopped.
        """
        self.ask_to_end()
        self.await_end()

    def ask_to_end(self) -> None:
        """Begin to end it; `await_end` does the rest."""
        self._family += self.descendants()
        self._process.terminate()
        self._process.send_signal(signal.SIGCONT)
        _signal_each(self._family, signal.SIGCONT)

    def await_end(self) -> None:
        """Return when it has ended and nothing of it is left."""
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _signal_each(self._family, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()

    def descendants(self) -> list[psutil.Process]:
        """Return the processes that it has started, and those that they have."""
        if self.has_ended:
            return []
        return psutil.Process(self._process.pid).children(recursive=True)


def _signal_each(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # as one is, too, whose number is another's by now
            process.send_signal(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A worker that is to be started; see `Cluster.worker`."""

    name: str
    resources: Mapping[str, float] = field(default_factory=dict)
    nthreads: int = 1
    nanny: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    has_fleetrun: bool = True

    def command(self, shared: Sequence[str], folder: Path) -> list[str]:
        """Return the command line, with the options that all processes of the cluster share."""
        has = " ".join(f"{name}={amount}" for name, amount in self.resources.items())
        return [
            *(sys.executable, *(() if self.has_fleetrun else ("-S",)), "-P"),
            *("-m", "distributed.cli.dask_worker", *shared, "--name", self.name),
            *("--nthreads", str(self.nthreads), "--memory-limit", "0"),
            *("--local-directory", str(folder)),
            *(("--resources", has) if has else ()),
            *(("--nanny", "--preload-nanny") if self.nanny else ("--no-nanny", "--preload")),
            "dask_preload",
        ]

    def paths(self, folder: Path) -> list[str]:
        """Return its PYTHONPATH, for which it makes folders below that one."""
        if not self.has_fleetrun:
            return [str(all_but_fleetrun(folder / f"{self.name}-has")), str(_HERE)]
        if not self.versions:
            return _own_paths()
        return [str(other_versions(folder / f"{self.name}-is", self.versions)), *_own_paths()]


class DaskWorker(DaskProcess):
    """A worker, which the scheduler lists when the test gets it.

    With a nanny, this process is the nanny, and `pid`, `kill`, `stop` and `go_on` are about the
    worker that it has at the time. A worker that was killed is replaced by its nanny: `address` and
    `pid` are then those of the new one, once `is_listed` again.
    """

    def __init__(self, cluster: Cluster, wanted: Wanted, shared: Sequence[str]) -> None:
        self._cluster = cluster
        self._has_nanny = wanted.nanny
        super().__init__(
            wanted.name,
            wanted.command(shared, cluster.folder),
            folder=cluster.folder,
            env=cluster.environment(wanted.paths(cluster.folder), wanted.env),
            cwd=wanted.cwd or cluster.folder,
        )

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._cluster.roll().last(self.name).address

    @property
    def pid(self) -> int:
        """The number of the process that works."""
        return self._cluster.roll().last(self.name).pid if self._has_nanny else super().pid

    @property
    def is_listed(self) -> bool:
        """Whether the scheduler lists it now."""
        return self._cluster.roll().has(self.name)

    @property
    def is_ready(self) -> bool:
        """Whether it is listed, and has the nanny that it should have."""
        roll = self._cluster.roll()
        return roll.has(self.name) and (not self._has_nanny or self.name in roll.nannies)

    def kill(self) -> None:
        """Kill it (SIGKILL), and nothing that it has started; return when it is not listed."""
        address = self.address
        if self._has_nanny:
            os.kill(self.pid, signal.SIGKILL)
        else:
            super().kill()
        self._await_gone(address)

    def retire(self) -> None:
        """Have the scheduler retire it, which ends it; return when it has ended."""
        with self._cluster.client() as client:
            client.retire_workers([self.address])
        self._cluster.wait_until(lambda: self.has_ended, f"{self.name} was retired and runs")

    def end(self) -> None:
        """Ask it to end, wait until it has and is not listed, and kill what is left of it."""
        super().end()
        self._await_gone(self.address)

    def _await_gone(self, address: str) -> None:
        """Return when the scheduler does not list the worker there, or is gone itself."""
        cluster = self._cluster
        cluster.wait_until(
            lambda: cluster.scheduler.has_ended or address in cluster.roll().left,
            f"{self.name} is gone and is still listed",
        )


class Cluster:
    """A scheduler, and the workers that a test asks for; all of it ends with the block.

    Entering returns before the scheduler is ready, so that workers start beside it; `address`
    waits for it.

    Args:
        folder: an existing folder; all files go into `dask` below it, which must not exist.
        tls: whether everybody speaks TLS and shows a certificate; else plain TCP.

    Attributes:
        folder: where the files are, and where the processes are at home.
        file: what the scheduler writes once it can be reached, for `--scheduler`.
        tls: the files of the certificate and key that everybody has; None without TLS.
        scheduler: its process.

    A process that does not start fails the test with the end of its log. When the block fails,
    the logs go to stderr, where pytest shows them. For one thread.
    """

    scheduler: DaskProcess

    def __init__(self, folder: Path, *, tls: bool = True) -> None:
        self.folder = folder / "dask"
        self.folder.mkdir()
        self._roll = self.folder / "roll"
        self._roll.touch()
        self.file = self.folder / "scheduler.json"
        self.tls: TlsFiles | None = make_tls_files(self.folder) if tls else None
        self._workers: list[DaskWorker] = []

    def __enter__(self) -> Self:
        module = (sys.executable, "-P", "-m", "distributed.cli.dask_scheduler")
        self.scheduler = DaskProcess(
            "scheduler",
            [*module, *self._shared_options(), "--port", "0", "--preload", "dask_preload"],
            folder=self.folder,
            env=self.environment(_own_paths()),
            cwd=self.folder,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(self.logs())
        for worker in self._workers:
            worker.ask_to_end()
        for worker in self._workers:
            worker.await_end()
        # Afterwards: a worker that hears of both at once may hang (distributed 2026.8).
        self.scheduler.end()

    @property
    def address(self) -> str:
        """Where the scheduler answers: `tls://127.0.0.1:port`."""
        self.wait_until(self._has_address, "the scheduler says no address")
        address: str = json.loads(self.file.read_text())["address"]
        return address

    def security(self) -> Security | None:
        """Return what a client must show; None without TLS."""
        from distributed import Security  # noqa: PLC0415 (slow, and for those alone)

        if self.tls is None:
            return None
        return Security(  # type: ignore[no-untyped-call]
            tls_ca_file=str(self.tls.ca),
            tls_client_cert=str(self.tls.certificate),
            tls_client_key=str(self.tls.key),
            require_encryption=True,
        )

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Yield a client, which is nobody's default; it is closed at the end."""
        from distributed import Client  # noqa: PLC0415 (slow, and for those alone)

        security = self.security()
        with Client(self.address, security=security, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            yield client

    def worker(
        self,
        name: str | None = None,
        *,
        resources: Mapping[str, float] | None = None,
        nthreads: int = 1,
        nanny: bool = False,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        versions: Mapping[str, str] | None = None,
        has_fleetrun: bool = True,
    ) -> DaskWorker:
        """Start a worker; return when the scheduler lists it.

        Args:
            name: unique in the cluster; None means the next of worker1, worker2 and so on.
            resources: what the scheduler is told that it has.
            nthreads: how many threads it has for tasks.
            nanny: whether a nanny starts it, and starts it again when it dies.
            env: more variables of its environment.
            cwd: where it is at home; None means the cluster's folder.
            versions: packages that it has in other versions, as `importlib.metadata` says.
            has_fleetrun: whether it can import fleetrun; one that cannot has no other versions.
        """
        wanted = Wanted(
            name=name or self._next_name(),
            resources=resources or {},
            nthreads=nthreads,
            nanny=nanny,
            env=env or {},
            cwd=cwd,
            versions=versions or {},
            has_fleetrun=has_fleetrun,
        )
        return self._await_ready(self._start(wanted))

    def workers(self, count: int, *, nthreads: int = 1) -> list[DaskWorker]:
        """Start so many workers at once; return when the scheduler lists them all."""
        started = [
            self._start(Wanted(name=self._next_name(), nthreads=nthreads)) for _ in range(count)
        ]
        return [self._await_ready(worker) for worker in started]

    def roll(self) -> Roll:
        """Return which workers the scheduler has had so far."""
        return Roll.read(self._roll)

    def logs(self) -> str:
        """Return the end of every process's log."""
        each = (self.scheduler, *self._workers)
        return "".join(f"--- log of {one.name} ---\n{last_lines(one.log)}\n" for one in each)

    def wait_until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        """Return as soon as something is so; when it never is, fail the test with all logs."""
        until = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > until:
                pytest.fail(f"{otherwise}:\n{self.logs()}", pytrace=False)
            time.sleep(_POLL_S)

    def environment(
        self, paths: Sequence[str], more: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return this process's environment with that PYTHONPATH, and more in it."""
        python_path = os.pathsep.join(paths)
        own = {"PYTHONPATH": python_path, ROLL: str(self._roll)}
        return {**os.environ, **own, **(more or {})}

    def _next_name(self) -> str:
        return f"worker{len(self._workers) + 1}"

    def _start(self, wanted: Wanted) -> DaskWorker:
        worker = DaskWorker(self, wanted, self._shared_options())
        self._workers.append(worker)
        return worker

    def _await_ready(self, worker: DaskWorker) -> DaskWorker:
        def is_ready() -> bool:
            _check_runs(self.scheduler)
            _check_runs(worker)
            return worker.is_ready

        self.wait_until(is_ready, f"{worker.name} is not listed")
        return worker

    def _has_address(self) -> bool:
        _check_runs(self.scheduler)
        return self.file.exists() and self.file.read_text().endswith("}")

    def _shared_options(self) -> list[str]:
        options = [
            *("--host", ADDRESS, "--protocol", "tcp" if self.tls is None else "tls"),
            *("--scheduler-file", str(self.file)),
            *("--no-dashboard", "--dashboard-address", f"{ADDRESS}:0"),
        ]
        if self.tls is not None:
            options += ["--tls-ca-file", str(self.tls.ca)]
            options += ["--tls-cert", str(self.tls.certificate), "--tls-key", str(self.tls.key)]
        return options


def _own_paths() -> list[str]:
    """Return a PYTHONPATH on which a process finds all that this one does, in the same order."""
    return [path for path in sys.path if path]


def _check_runs(process: DaskProcess) -> None:
    if process.has_ended:
        pytest.fail(f"{process.name} has ended:\n{last_lines(process.log)}", pytrace=False)
