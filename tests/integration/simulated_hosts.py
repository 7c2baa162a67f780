"""Thousands of hosts on this machine that cost little and are counted: one server for all of 127/8.

with SimulatedHosts(tmp_path) as simulated:
    hosts = simulated.hosts(5_000)
    simulated.hold()
    ... begin a run; simulated.await_total(begun=100); kill what is to be killed
    simulated.release()
    assert set(simulated.counts().values()) == {Counts(connections=1, ...)}

On Linux every address of 127/8 is this machine, so that one socket is as many hosts as there are
addresses to dial. What happened to each of them is written down by the server (see
`simulated_server`), whatever clients say of it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh
import psutil
import pytest
from servers import last_lines

from fleetrun import Host
from fleetrun.hosts import Secret

_PROGRAM = Path(__file__).with_name("simulated_server.py")
_FIRST = ipaddress.IPv4Address("127.16.0.1")
_MOST = int(ipaddress.IPv4Address("127.255.255.254")) - int(_FIRST) + 1
_BACKLOG = 4096
_END_WITHIN_S = 15.0
_PATIENCE_S = 60.0
_POLL_S = 0.02
USER = "anybody"
PASSWORD = "simulated"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the server saw of one host, or of all.

    Attributes:
        connections: TCP connections that it took.
        logins: those that logged in.
        begun: commands that were handed over.
        ended: commands that ended, and not because their connection did.
        left: connections that are over.
    """

    connections: int = 0
    logins: int = 0
    begun: int = 0
    ended: int = 0
    left: int = 0


_EVENTS = {
    "connected": "connections",
    "login": "logins",
    "begun": "begun",
    "ended": "ended",
    "left": "left",
}


class SimulatedHosts:
    """SSH servers of simulated hosts, which run any command and say nothing. A context manager.

    Any user gets in, with `login_key` or with PASSWORD.

    Args:
        folder: an existing folder; all files go into `simulated` below it, which must not exist.
        processes: how many server processes share the connections.
        output: what each command writes.

    Attributes:
        port: the port of every host.
        login_key: file of the private key.
        known_hosts: file with one line, which vouches for all of them.
        log: what the servers have to say, which is nothing when all is well.

    Linux alone; elsewhere the test is skipped. For one thread.
    """

    def __init__(self, folder: Path, *, processes: int = 1, output: bytes = b"") -> None:
        if sys.platform != "linux":
            pytest.skip("127/8 is this machine on Linux alone")
        self.folder = folder / "simulated"
        self.folder.mkdir()
        self.login_key = self.folder / "login_key"
        self.known_hosts = self.folder / "known_hosts"
        self.log = self.folder / "log"
        self.port = 0
        self._count = processes
        self._processes: list[subprocess.Popen[str]] = []
        self._events = self.folder / "events"
        self._events.touch()
        self._read_to = 0
        self._seen: Counter[tuple[str, str]] = Counter()
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "output").write_bytes(output)

    def __enter__(self) -> Self:
        make_key(self.login_key)
        make_key(self.folder / "host_key")
        # All of 127/8 cannot be listened on but with everything else; the server takes only that.
        with socket.create_server(("0.0.0.0", 0), backlog=_BACKLOG) as listening:  # noqa: S104
            self.port = listening.getsockname()[1]
            words = (self.folder / "host_key.pub").read_text().split()[:2]
            self.known_hosts.write_text(f"[127.*]:{self.port} {' '.join(words)}\n")
            with ExitStack() as on_failure:
                on_failure.callback(self._end)
                for _ in range(self._count):
                    self._start(listening.fileno())
                for process in self._processes:
                    self._hear(process)
                on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(f"--- log of the simulated hosts ---\n{last_lines(self.log)}\n")
        self._end()

    def hosts(self, count: int, *, first: int = 0, **changes: Any) -> list[Host]:  # noqa: ANN401
        """Return so many hosts, named after their addresses, with the given fields changed.

        Args:
            count: how many; there are 15 million.
            first: the number of the first one; hosts of one number are the same host.
            changes: fields of `Host`.
        """
        assert first + count <= _MOST
        host = Host(
            name="any",
            port=self.port,
            user=USER,
            private_key=str(self.login_key),
            known_hosts=(str(self.known_hosts),),
        )
        addresses = (str(_FIRST + number) for number in range(first, first + count))
        return [dataclasses.replace(host, name=each, address=each, **changes) for each in addresses]

    def hosts_by_password(self, count: int, *, first: int = 0) -> list[Host]:
        """Return hosts that are logged in to with the password."""
        password = Secret(PASSWORD)
        return self.hosts(
            count,
            first=first,
            password=password,
            private_key=None,
            identity_files=(),
            identity_agent=None,
        )

    def delay(self, seconds: float, hosts: Iterable[Host] = ()) -> None:
        """Let commands that are begun from now on take so long: on those hosts, or on all."""
        self._order({"delay_s": seconds, "addresses": [host.address for host in hosts]})

    def hold(self, hosts: Iterable[Host] = ()) -> None:
        """Let commands that are begun from now on run until `release`: on those hosts, or all."""
        self._order({"delay_s": None, "addresses": [host.address for host in hosts]})

    def release(self) -> None:
        """End all commands that run, and let later ones end at once."""
        self._order({"release": True})

    def counts(self) -> dict[str, Counts]:
        """Return what happened so far, for each address that anything happened to."""
        self._read_events()
        found: dict[str, dict[str, int]] = {}
        for (event, address), times in self._seen.items():
            found.setdefault(address, {})[_EVENTS[event]] = times
        return {address: Counts(**counts) for address, counts in found.items()}

    def total(self) -> Counts:
        """Return what happened so far, of all hosts together."""
        self._read_events()
        sums: Counter[str] = Counter()
        for (event, _), times in self._seen.items():
            sums[_EVENTS[event]] += times
        return Counts(**sums)

    def await_total(self, **at_least: int) -> None:
        """Return when so much has happened, by the names of `Counts`.

        Fails the test when nothing happens for a minute before that.
        """
        before, until = self.total(), time.monotonic() + _PATIENCE_S
        while any(getattr(before, name) < number for name, number in at_least.items()):
            time.sleep(_POLL_S)
            if (total := self.total()) != before:
                before, until = total, time.monotonic() + _PATIENCE_S
            elif time.monotonic() > until:
                pytest.fail(f"{at_least} never came to be: {total}", pytrace=False)

    def cpu_s(self) -> float:
        """Return the processor time that the servers have taken."""
        times = (psutil.Process(process.pid).cpu_times() for process in self._processes)
        return sum(each.user + each.system for each in times)

    def _start(self, listening_fd: int) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", _PROGRAM, str(listening_fd), self.folder],
                pass_fds=[listening_fd],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the test, which then ends it
            )
        self._processes.append(process)

    def _order(self, order: dict[str, object]) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            self._hear(process)

    def _hear(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        if not process.stdout.readline():
            pytest.fail(f"the simulated hosts have ended:\n{last_lines(self.log)}", pytrace=False)

    def _end(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(_END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def _read_events(self) -> None:
        for event, address in self._new_events():
            self._seen[event, address] += 1

    def _new_events(self) -> Iterator[tuple[str, str]]:
        with self._events.open("rb") as events:
            events.seek(self._read_to)
            whole_lines = events.read().rpartition(b"\n")[0]
        for line in whole_lines.decode().splitlines():
            event, address = line.split()
            yield event, address
        self._read_to += len(whole_lines) + bool(whole_lines)


def make_key(path: Path) -> None:
    """Write a new key pair to path, for its owner alone, and path.pub."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.touch(mode=0o600)
    key.write_private_key(path)
    key.write_public_key(path.with_name(f"{path.name}.pub"))
