"""One trial: hosts, a command, a mode, and what is asserted of every row whatever else it is about.

Every row gives one result a host, within its deadline and two seconds, without a traceback on the
terminal. That threads, descriptors and child processes are back is asserted of every test in
`tests/conftest.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleetrun import Fleet, Host, Report, Result
from fleetrun.cli import main
from fleetrun.events import Finished
from fleetrun.executors import Mode, execute, make_plan
from fleetrun.job import Job
from fleetrun.results import Outcome, Phase
from fleetrun.session import Cancel, Connect
from fleetrun.ssh import SshConnect

ADDRESS = "127.0.0.1"
_PROMISED_S = 2.0
"""What may pass between a host's deadline and its result."""
_BUSY_MACHINE_S = 4.0
"""What the start of workers may add to that, and a machine on which each core has one thing to do;
on a busier one it is as many times more."""


def ended(result: Result) -> tuple[Outcome, Phase | None]:
    """Return how and where a host ended."""
    return result.outcome, result.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one call of the command line came to."""

    code: int
    out: bytes
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The one host's result in the JSON document."""
        (result,) = json.loads(self.out)["results"]
        return dict(result)


class Trial:
    """Runs commands on hosts that are in trouble, in one mode. Used by one test."""

    def __init__(
        self,
        mode: Mode,
        folder: Path,
        private_key: Path,
        capfd: pytest.CaptureFixture[str] | None = None,
    ) -> None:
        self._capfd = capfd
        self.mode = mode
        self.folder = folder
        self.known_hosts = folder / "known_hosts"
        self._private_key = private_key

    def host(self, port: int, name: str = "web1", **changes: Any) -> Host:  # noqa: ANN401 (Host's)
        """Return a host on this machine, whose deadlines suit a test."""
        host = Host(
            name=name,
            address=ADDRESS,
            port=port,
            user="anybody",
            private_key=str(self._private_key),
            known_hosts=(str(self.known_hosts),),
            connect_timeout_s=10.0,
            login_timeout_s=10.0,
            command_timeout_s=20.0,
        )
        return dataclasses.replace(host, **changes)

    def vouch(self, known_hosts_line: str) -> None:
        """Add a line to the file that vouches for the hosts' keys."""
        with self.known_hosts.open("a") as file:
            file.write(known_hosts_line)

    def run(self, host: Host, command: str = "true", **options: Any) -> Result:  # noqa: ANN401
        """Run the command on one host, as `run_all` does."""
        return self.run_all([host], command, **options)[host.name]

    def run_all(
        self,
        hosts: Sequence[Host],
        command: str = "true",
        *,
        within_s: float,
        connect: Connect | None = None,
        forks: int | None = None,
        retries: int = 0,
        **options: Any,  # noqa: ANN401 (those of Fleet.exec)
    ) -> Report:
        """Run the command on the hosts; assert one result each, within that many seconds and two.

        Args:
            hosts: where.
            command: what.
            within_s: the sum of the deadlines that may pass before the last host has ended.
            connect: how to connect; None means over SSH.
            forks: as for `Fleet`.
            retries: as for `Fleet`.
            options: as for `Fleet.exec`.
        """
        with (
            _in_time(within_s),
            Fleet(
                hosts,
                mode=self.mode,
                forks=forks,
                retries=retries,
                max_sessions=0,  # one call, as the command line makes it
                connect=connect,
            ) as fleet,
        ):
            report = fleet.exec(command, **options)
        check(report, hosts)
        return report

    def command_line(
        self,
        *arguments: str,
        inventory: Host | str,
        within_s: float,
        environment: Mapping[str, str] | None = None,
        on_terminal: bool = False,
    ) -> Ran:
        """Call fleetrun's own command line, in a process of its own.

        Args:
            arguments: the command and its options, without the inventory and the mode.
            inventory: the one host, or an inventory's text.
            within_s: as for `run_all`.
            environment: what the process has beside PATH and a HOME without keys.
            on_terminal: whether stdout and stderr are one terminal, without colours; all that is
                written is `out` then.
        """
        file = self._written(inventory)
        command = [
            sys.executable,
            "-m",
            "fleetrun",
            *arguments,
            "-i",
            str(file),
            "--mode",
            self.mode,
        ]
        own = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "NO_COLOR": "1"}
        call = _call_on_terminal if on_terminal else _call
        with _in_time(within_s):
            ran = call(command, own | dict(environment or {}))
        said = ran.out.decode(errors="replace") + ran.err
        assert "Traceback" not in said, said
        return ran

    def command_line_here(self, *arguments: str, inventory: Host | str, within_s: float) -> Ran:
        """Call the command line in this process: for what ends before any worker is started."""
        assert self._capfd is not None
        self._capfd.readouterr()
        with _in_time(within_s):
            code = main(
                [*arguments, "-i", str(self._written(inventory)), "--mode", self.mode.value]
            )
        out, err = self._capfd.readouterr()
        return Ran(code=code, out=out.encode(), err=err)

    def _written(self, inventory: Host | str) -> Path:
        file = self.folder / "hosts.yaml"
        file.write_text(inventory if isinstance(inventory, str) else inventory_of(inventory))
        return file

    def run_jobs(self, jobs: Sequence[Job], *, within_s: float, forks: int | None = None) -> Report:
        """Do the jobs, each with a command of its own, as `run_all` does."""
        hosts = [job.host for job in jobs]
        plan = make_plan(self.mode, forks=forks, hosts=len(jobs))
        with contextlib.closing(Cancel()) as cancel, _in_time(within_s):
            events = list(execute(plan, jobs, SshConnect(), cancel))
        results = [event.result for event in events if isinstance(event, Finished)]
        report = Report.of([host.name for host in hosts], results)
        check(report, hosts)
        return report


def inventory_of(host: Host, **more: str) -> str:
    """Return an inventory with that one host, and more variables for it."""
    given = {
        "host": host.address,
        "port": str(host.port),
        "user": host.user,
        "known_hosts": " ".join(host.known_hosts),
        **({} if host.private_key is None else {"private_key": host.private_key}),
        **more,
    }
    lines = [f"      {name}: {json.dumps(value)}" for name, value in given.items()]
    return "\n".join(["all:", "  hosts:", f"    {host.name}:", *lines]) + "\n"


def _call(command: Sequence[str], environment: Mapping[str, str]) -> Ran:
    ran = subprocess.run(
        command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=environment
    )
    return Ran(code=ran.returncode, out=ran.stdout, err=ran.stderr.decode())


def _call_on_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Ran:
    outer, inner = os.openpty()
    tty.setraw(inner)  # no carriage return is added to what is written
    with os.fdopen(outer, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=inner, stderr=inner, env=environment
        )
        os.close(inner)
        shown = bytearray()
        with contextlib.suppress(OSError):  # EIO: all who could write are gone
            while piece := screen.read(65536):
                shown += piece
        return Ran(code=process.wait(), out=bytes(shown), err="")


def check(report: Report, hosts: Sequence[Host]) -> None:
    """Assert what holds of every report."""
    assert [result.host for result in report] == [host.name for host in hosts]
    for result in report:
        assert result.ok == (result.exit_status == 0 and result.signal is None), result
        assert result.ok or result.error, result
        assert "bug in fleetrun" not in (result.error or ""), result


@contextlib.contextmanager
def _in_time(within_s: float) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    seconds = time.monotonic() - began_s
    load = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert seconds <= within_s + _PROMISED_S + _BUSY_MACHINE_S * load
