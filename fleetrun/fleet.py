"""The road from hosts to a report, for programs and for the command line. Layer 6 of the road.

with Fleet.from_inventory("hosts.yaml", limit="web") as fleet:
    report = fleet.exec("uptime")

exec, put, get ─► events ─► Report      when the last host has ended
        stream ─► events ─► Result …    as each host ends
                  events ─► Event …     as things happen
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fleetrun.errors import UsageError
from fleetrun.events import Event, Finished
from fleetrun.executors import Mode, Plan, execute, make_plan
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import DEFAULT_OUTPUT_LIMIT_BYTES, Exec, Get, Operation, Put
from fleetrun.results import Report, Result
from fleetrun.session import Cancel, Connect, Prepares
from fleetrun.ssh import SshConnect

if TYPE_CHECKING:
    from fleetrun.inventory import Overrides  # a program that names its hosts needs no YAML


AUTO = "auto"
"""The name of no mode: one is chosen by the number of hosts and cores."""


class Fleet:
    """Hosts, and the way in which they are worked on at once.

    One fleet may be used for any number of calls, one after another or from several threads at
    once; each call overlaps its own hosts. Close it, or use it as a context manager, and what
    still runs is cancelled.

    Args:
        hosts: at least one; text (`web1`, `deploy@web2:2222`) is read as an inline inventory.
        mode: how the waiting is overlapped (see `fleetrun.executors.Mode`); `auto` chooses by the
            number of hosts and cores.
        forks: at most this many hosts at once; None means what suits the mode (see `make_plan`).
        retries: how often a host that could not be reached is tried again; one whose work was
            handed over, or that refused the login or the host key, never is.
        connect: makes the sessions; None means over SSH.

    Attributes:
        hosts: the hosts, in the order given, which is the order of every report.
        plan: what the mode came to; its note says when it is less than was asked for.

    Raises `UsageError` for no host, two hosts of one name, an unknown mode, forks below 1, and
    every method that contacts hosts raises it once the fleet is closed.
    """

    def __init__(
        self,
        hosts: Iterable[Host | str],
        *,
        mode: Mode | str = AUTO,
        forks: int | None = None,
        retries: int = 0,
        connect: Connect | None = None,
    ) -> None:
        self.hosts = _resolve(hosts)
        self._retries = retries
        self.plan: Plan = make_plan(_mode(mode), forks=forks, hosts=len(self.hosts))
        self._connect: Connect = SshConnect() if connect is None else connect
        self._lock = threading.RLock()  # a signal handler may interrupt its own thread in it
        self._running: set[Cancel] = set()
        self._cancelled_times = 0
        self._closed = False

    @classmethod
    def from_inventory(
        cls,
        source: str | Path,
        *,
        limit: str | None = None,
        mode: Mode | str = AUTO,
        forks: int | None = None,
        overrides: Overrides | None = None,
        retries: int = 0,
        connect: Connect | None = None,
    ) -> Self:
        """Return a fleet of the hosts in an inventory.

        Args:
            source: the inventory's file, or hosts inline: `h1,h2,`.
            limit: a pattern that selects some of them; None means all.
            mode: as for `Fleet`.
            forks: likewise.
            overrides: settings that beat the inventory's; None means that nothing does.
            retries: as for `Fleet`.
            connect: likewise.

        Raises `InventoryError` when the inventory is wrong or the pattern matches no host.
        """
        from fleetrun.inventory import Inventory, Overrides  # noqa: PLC0415 (YAML is slow)

        inventory = Inventory.load(source, overrides=overrides or Overrides())
        return cls(
            inventory.select(limit), mode=mode, forks=forks, retries=retries, connect=connect
        )

    def exec(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
    ) -> Report:
        """Run a command on every host and return when the last one has ended.

        Ctrl-C ends what runs, within 3 s, and then raises `KeyboardInterrupt`; `cancel` ends it
        likewise and yields the report.

        Args:
            command: the command line, for the login shell of each host's user.
            stdin: what the command reads on each host; by default the end of input.
            output_limit_bytes: how much of each stream a result keeps, head and tail half each.
        """
        return self._report(
            Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes)
        )

    def put(self, sources: str | Path | Sequence[str | Path], target: str = "") -> Report:
        """Copy local files to every host; return when the last host has ended.

        Args:
            sources: one file, or several.
            target: remote path; `""` means the login folder. A folder when it ends in `/`, when it
                is one, or when there are several sources.
        """
        files = [sources] if isinstance(sources, str | Path) else sources
        return self._report(Put(sources=tuple(map(Path, files)), target=target))

    def get(self, sources: str | Sequence[str], target: str | Path) -> Report:
        """Copy files from every host to `TARGET/HOST/path`; return when the last host has ended.

        Args:
            sources: one remote file, or several.
            target: local folder; made when it is missing.
        """
        files = [sources] if isinstance(sources, str) else sources
        return self._report(Get(sources=tuple(files), target=Path(target)))

    def stream(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
    ) -> Generator[Result, None, None]:
        """Run a command on every host and yield each result as soon as there is one.

        The arguments are those of `exec`. Nothing is begun before the first result is asked for;
        leaving early (or closing the iterator) cancels what still runs.
        """
        return _results(
            self.events(Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes))
        )

    def events(self, operation: Operation) -> Generator[Event, None, None]:
        """Do an operation on every host and yield what happens, as it happens.

        Nothing is begun before the first event is asked for. Every host has exactly one `Finished`
        among the events, also after `cancel`; closing the iterator cancels. It is for one thread
        at a time.
        """
        if self._closed:
            raise UsageError("this fleet is closed; make a new one")
        if isinstance(self._connect, Prepares):
            self._connect.prepare(self.hosts)
        jobs = [Job(host=host, operation=operation, retries=self._retries) for host in self.hosts]
        return self._run(jobs, self._cancelled_times)

    def cancel(self) -> None:
        """Cancel what runs now: hosts that have begun are ended, the others are `not_run`.

        Returns at once; whoever iterates gets the rest of the events, or the report, within 3 s.
        Later calls are not affected. Safe from any thread and from a signal handler.
        """
        with self._lock:
            self._cancelled_times += 1
            for cancel in self._running:
                cancel.press()

    def close(self) -> None:
        """Cancel what runs, for good. Returns at once; safe to call twice."""
        self._closed = True
        self.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self, jobs: Sequence[Job], cancelled_times: int) -> Generator[Event, None, None]:
        cancel = Cancel()
        try:
            with self._lock:
                self._running.add(cancel)
                if self._cancelled_times != cancelled_times:  # between the call and this moment
                    cancel.press()
            yield from execute(self.plan, jobs, self._connect, cancel)
        finally:
            with self._lock:  # nobody may press it while its descriptors are given back
                self._running.discard(cancel)
                cancel.close()

    def _report(self, operation: Operation) -> Report:
        started_at_s = time.monotonic()
        with closing(_results(self.events(operation))) as each:
            results = list(each)
        wall_seconds = time.monotonic() - started_at_s
        names = [host.name for host in self.hosts]
        return Report.of(names, results, wall_seconds=wall_seconds)


def _results(events: Generator[Event, None, None]) -> Generator[Result, None, None]:
    """Yield the results among the events; closing it closes them."""
    with closing(events):
        for event in events:
            if isinstance(event, Finished):
                yield event.result


def _resolve(hosts: Iterable[Host | str]) -> tuple[Host, ...]:
    """Return the hosts, those given as text resolved, in the order given."""
    if isinstance(hosts, str):
        raise UsageError(f"hosts is one text; give a list: [{hosts!r}]")
    resolved = tuple(host if isinstance(host, Host) else _read(host) for host in hosts)
    if not resolved:
        raise UsageError("a fleet needs at least one host")
    seen: set[str] = set()
    for host in resolved:
        if host.name in seen:
            raise UsageError(
                f"two hosts are named {host.name!r}; their results could not be told apart"
            )
        seen.add(host.name)
    return resolved


def _read(name: str) -> Host:
    from fleetrun.inventory import Inventory  # noqa: PLC0415 (YAML is slow)

    (host,) = Inventory.of([name]).hosts
    return host


def _mode(mode: Mode | str) -> Mode | None:
    if mode == AUTO:
        return None
    try:
        return Mode(mode)
    except ValueError as error:
        known = ", ".join([AUTO, *Mode])
        raise UsageError(f"there is no mode {mode!r}; there are: {known}") from error
