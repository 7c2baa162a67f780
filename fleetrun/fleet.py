"""The road from hosts to a report, for programs and for the command line. Layer 6 of the road.

with Fleet.from_inventory("hosts.yaml", limit="web") as fleet:
    report = fleet.exec("uptime")
    report = fleet.exec("df -h")        over the sessions that the first call has left open

exec, put, get, aexec ─► events ─► Report      when the last host has ended
      stream, astream ─► events ─► Result …    as each host ends
               submit ─► events ─► Future …    at once, one for each host
                         events ─► Event …     as things happen
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fleetrun.calls import Call, Calls, Work, results_among
from fleetrun.errors import UsageError
from fleetrun.events import Event
from fleetrun.executors import (
    DEFAULT_MAX_SESSIONS,
    Carrier,
    Mode,
    Plan,
    idle_in_each,
    make_plan,
)
from fleetrun.executors.tally import Tally
from fleetrun.given import AUTO, read_carrier, read_hosts, read_limit, read_mode
from fleetrun.hosts import Host
from fleetrun.job import Job
from fleetrun.operations import (
    DEFAULT_OUTPUT_LIMIT_BYTES,
    Exec,
    Get,
    Operation,
    Put,
    exec_for_each,
    get_for_each,
    put_for_each,
)
from fleetrun.results import Report, Result
from fleetrun.rollout import Rollout
from fleetrun.session import Connect, Gathers, Prepares
from fleetrun.share import Share
from fleetrun.ssh import AwaySshConnect, SshConnect
from fleetrun.waves import Waves

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fleetrun.executors.cluster import Dask  # an extra
    from fleetrun.executors.ledger import MayBegin
    from fleetrun.executors.standby import Standby
    from fleetrun.inventory import Overrides, Targets  # YAML, for those alone who load a file

__all__ = ["AUTO", "Fleet"]


class Fleet:
    """Hosts, and the way in which they are worked on at once.

    One fleet may be used for any number of calls, one after another or from several threads at
    once; each call overlaps its own hosts. Close it, or use it as a context manager, and what
    still runs is cancelled.

    As a context manager it keeps its sessions open from call to call, and in modes with worker
    processes the workers that hold them: only the first call logs in, and a later command takes
    one round trip. A session whose host has ended it is made anew; one that is idle for five
    minutes is closed.

    Args:
        hosts: at least one; text (`web1`, `deploy@web2:2222`) is read as an inline inventory.
        mode: how the waiting is overlapped (see `fleetrun.executors.Mode`), or the Dask cluster
            whose workers do it; `auto` chooses by the number of hosts and cores.
        forks: at most this many hosts at once; None means what suits the mode (see `make_plan`).
        carrier: what carries the hosts in the workers of `hybrid`: `greenlets` (None means these),
            or `threads` where gevent cannot be used.
        retries: how often a host that could not be reached is tried again; one whose work was
            handed over, or that refused the login or the host key, never is.
        max_fail: how many hosts of a call may fail, time out or be lost: a number (5) or a
            percentage of all ("10%", rounded down). Once there are more, no other is begun; those
            that run go on to their end. None means no limit.
        max_unreachable: likewise, how many may be unreachable.
        max_sessions: how many sessions may stay open while nobody uses them, one in each worker
            process at least; 0 means that none does. It counts for a fleet that is used as a
            context manager.
        connect: makes the sessions; None means over SSH.

    Attributes:
        hosts: the hosts, in the order given, which is the order of every report.
        plan: what the mode came to; its note says when it is less than was asked for.

    Raises `UsageError` for no host, two hosts of one name, an unknown mode, forks below 1, retries
    or max_sessions below 0; every method that contacts hosts raises it once the fleet is closed.
    """

    def __init__(
        self,
        hosts: Iterable[Host | str],
        *,
        mode: Mode | Dask | str = AUTO,
        forks: int | None = None,
        carrier: Carrier | str | None = None,
        retries: int = 0,
        max_fail: Share | int | str | None = None,
        max_unreachable: Share | int | str | None = None,
        max_sessions: int = DEFAULT_MAX_SESSIONS,
        connect: Connect | None = None,
    ) -> None:
        self.hosts = read_hosts(hosts)
        if retries < 0:
            raise UsageError(f"retries is {retries}; 0 means that nothing is tried again")
        if max_sessions < 0:
            raise UsageError(f"max_sessions is {max_sessions}; 0 means that none is kept open")
        self._retries = retries
        self._most_failed = read_limit(max_fail, len(self.hosts))
        self._most_unreachable = read_limit(max_unreachable, len(self.hosts))
        known_mode, dask = read_mode(mode)
        self.plan: Plan = make_plan(
            known_mode,
            forks=forks,
            hosts=len(self.hosts),
            carrier=read_carrier(carrier),
            place=None if dask is None else dask.guarding(self.hosts),
        )
        self._connect = _suited(SshConnect() if connect is None else connect, self.plan)
        self._max_sessions = max_sessions
        self._standby: Standby | None = None
        self._calls = Calls()

    @classmethod
    def from_inventory(
        cls,
        source: str | Path | Sequence[str | Path],
        *,
        limit: str | Targets | None = None,
        mode: Mode | Dask | str = AUTO,
        forks: int | None = None,
        carrier: Carrier | str | None = None,
        overrides: Overrides | None = None,
        retries: int = 0,
        max_fail: Share | int | str | None = None,
        max_unreachable: Share | int | str | None = None,
        max_sessions: int = DEFAULT_MAX_SESSIONS,
        connect: Connect | None = None,
    ) -> Self:
        """Return a fleet of the hosts in an inventory.

        Args:
            source: the inventory's file or folder, or hosts inline: `h1,h2,`; or several of them.
            limit: a pattern that selects some of them, or `Targets`; None means all.
            mode: as for `Fleet`.
            forks: likewise.
            carrier: likewise.
            overrides: settings that beat the inventory's; None means that nothing does.
            retries: as for `Fleet`.
            max_fail: likewise.
            max_unreachable: likewise.
            max_sessions: likewise.
            connect: likewise.

        Raises `InventoryError` when the inventory is wrong or the pattern matches no host.
        """
        from fleetrun.inventory import Inventory, Overrides  # noqa: PLC0415 (YAML is slow)

        inventory = Inventory.load(source, overrides=overrides or Overrides())
        return cls(
            inventory.select(limit),
            mode=mode,
            forks=forks,
            carrier=carrier,
            retries=retries,
            max_fail=max_fail,
            max_unreachable=max_unreachable,
            max_sessions=max_sessions,
            connect=connect,
        )

    def exec(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
        template: bool = False,
        env_host: bool = False,
        waves: Waves | None = None,
    ) -> Report:
        """Run a command on every host and return when the last one has ended.

        Ctrl-C ends what runs, within 3 s, and then raises `KeyboardInterrupt`; `cancel` ends it
        likewise and yields the report.

        Args:
            command: the command line, for the login shell of each host's user.
            stdin: what the command reads on each host; by default the end of input.
            output_limit_bytes: how much of each stream a result keeps, head and tail half each.
            template: whether `{host}`, `{index}`, `{count}` and `{vars.NAME}` in it stand for each
                host's values, quoted for the shell (see `fleetrun.operations.template`).
            env_host: whether it finds `FLEETRUN_HOST`, `FLEETRUN_INDEX` and `FLEETRUN_COUNT` in its
                environment.
            waves: a few hosts first, and more when those are well; None means all at once, as far
                as forks allow.

        Raises `UsageError`, before any connection, when a placeholder has no value on some host.
        """
        operation = Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes)
        each = exec_for_each(operation, self.hosts, template=template, env_host=env_host)
        return self._report(each, waves)

    def put(
        self,
        sources: str | Path | Sequence[str | Path],
        target: str = "",
        *,
        template: bool = False,
        waves: Waves | None = None,
    ) -> Report:
        """Copy local files to every host; return when the last host has ended.

        They are written as the login user, whatever `become_user` a host has.

        Args:
            sources: one file, or several.
            target: remote path; `""` means the login folder. A folder when it ends in `/`, when it
                is one, or when there are several sources.
            template: whether placeholders in the paths stand for each host's values, as for `exec`
                but never quoted.
            waves: as for `exec`.
        """
        files = [sources] if isinstance(sources, str | Path) else sources
        if template:
            return self._report(put_for_each(list(map(str, files)), target, self.hosts), waves)
        return self._report(Put(sources=tuple(map(Path, files)), target=target), waves)

    def get(
        self, sources: str | Sequence[str], target: str | Path, *, template: bool = False
    ) -> Report:
        """Copy files from every host to `TARGET/HOST/path`; return when the last host has ended.

        They are read as the login user, whatever `become_user` a host has.

        Args:
            sources: one remote file, or several.
            target: local folder; made when it is missing.
            template: whether placeholders in the sources stand for each host's values, as for
                `put`.
        """
        files = [sources] if isinstance(sources, str) else sources
        if template:
            return self._report(get_for_each(files, Path(target), self.hosts), None)
        return self._report(Get(sources=tuple(files), target=Path(target)), None)

    def stream(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
        waves: Waves | None = None,
    ) -> Generator[Result, None, None]:
        """Run a command on every host and yield each result as soon as there is one.

        The arguments are as for `exec`. Nothing is begun before the first result is asked for;
        leaving early (or closing the iterator) cancels what still runs.
        """
        operation = Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes)
        return results_among(self.events(operation, waves=waves))

    def submit(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
        waves: Waves | None = None,
    ) -> dict[str, Future[Result]]:
        """Begin to run a command on every host and return at once: a future for each, by name.

        The arguments are as for `exec`. The futures stand in the order of the hosts, and are for
        `concurrent.futures.wait` and `as_completed`, or for `done`, `result` and
        `add_done_callback`. The result of a future is the host's `Result`, whatever its outcome;
        it raises only what `exec` raises. `cancel` on a future keeps its host from being begun, or
        returns False when it is too late for that. A thread of its own drives the run and makes
        the callbacks: one that takes long holds up the other hosts.

        `Fleet.cancel` and `close` end the run as any other; so does leaving a `with` block. The
        hosts that it keeps from being begun are `not_run`. A program that ends does not wait for
        it. Raises `FleetrunError` when no thread can be started.
        """
        from fleetrun.executors.futures import Background  # noqa: PLC0415 (few programs need it)

        operation = Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes)
        background = Background([host.name for host in self.hosts])
        call = self._call(operation, waves, background.may_begin)
        background.start(call.events)
        return background.futures

    async def aexec(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
        waves: Waves | None = None,
    ) -> Report:
        """Run a command on every host, awaited by an asyncio program, whose loop is never blocked.

        The arguments are as for `exec`. When the task is cancelled, so is the run: what runs is
        ended within 3 s, and then the task goes on being cancelled.
        """
        started_at_s = time.monotonic()
        each = self.astream(
            command, stdin=stdin, output_limit_bytes=output_limit_bytes, waves=waves
        )
        async with aclosing(each):
            results = [result async for result in each]
        return self._report_of(results, started_at_s)

    def astream(
        self,
        command: str,
        *,
        stdin: bytes = b"",
        output_limit_bytes: int = DEFAULT_OUTPUT_LIMIT_BYTES,
        waves: Waves | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Run a command on every host and yield each result, for `async for`; see `stream`.

        The event loop is never blocked. Cancelling the task that iterates cancels the run. Who
        leaves early closes the iterator (`contextlib.aclosing`), or the event loop does it later.
        """
        from fleetrun.awaiting import results_of  # noqa: PLC0415 (few programs need it)

        operation = Exec(command=command, stdin=stdin, output_limit_bytes=output_limit_bytes)
        return results_of(lambda: self._call(operation, waves))

    def events(
        self, operation: Operation | Sequence[Operation], *, waves: Waves | None = None
    ) -> Generator[Event, None, None]:
        """Do an operation on every host and yield what happens, as it happens.

        Several operations are one for each host, in the order of the hosts.

        Nothing is begun before the first event is asked for. Every host has exactly one `Finished`
        among the events, also after `cancel`; closing the iterator cancels. It is for one thread
        at a time.
        """
        return self._call(operation, waves).events

    def cancel(self) -> None:
        """Cancel what runs now: hosts that have begun are ended, the others are `not_run`.

        Returns at once; whoever iterates gets the rest of the events, or the report, within 3 s.
        Later calls are not affected. Safe from any thread and from a signal handler.
        """
        self._calls.cancel()

    def close(self) -> None:
        """Cancel what runs, for good, and close what was kept open; safe to call twice.

        Waits for no run and no host. Not for a signal handler: that is what `cancel` is for.
        """
        self._calls.close()
        if self._standby is not None:
            self._standby.close()

    def __enter__(self) -> Self:
        if self._max_sessions and self._standby is None:
            self._standby = self._make_standby()
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _make_standby(self) -> Standby:
        """Return what keeps sessions open: no more of them than there are hosts and descriptors."""
        from fleetrun.executors.standby import Standby  # noqa: PLC0415 (of use to libraries)

        most = idle_in_each(self.plan, hosts=len(self.hosts), max_sessions=self._max_sessions)
        return Standby(self.plan, self._taking_along(), most_idle=most)

    def _call(
        self,
        operation: Operation | Sequence[Operation],
        waves: Waves | None,
        may_begin: MayBegin | None = None,
    ) -> Call:
        self._calls.check_open()
        connect = self._prepared()
        each = operation if isinstance(operation, Sequence) else [operation] * len(self.hosts)
        work = Work(
            jobs=[
                Job(host=host, operation=own, retries=self._retries)
                for host, own in zip(self.hosts, each, strict=True)
            ],
            plan=self.plan,
            connect=connect,
            tally=Tally(most_failed=self._most_failed, most_unreachable=self._most_unreachable),
            may_begin=may_begin,
            standby=self._standby,
        )
        return Call(self._calls, work.events if waves is None else Rollout(waves, work).events)

    def _prepared(self) -> Connect:
        """Return what makes the sessions, once all that they need has been looked at."""
        if self.plan.place is not None:
            self.plan.place.check(self.hosts)
        connect = self._taking_along()
        if isinstance(connect, Prepares):
            connect.prepare(self.hosts)
        return connect

    def _taking_along(self) -> Connect:
        """Return what makes the sessions, with what it needs of this machine where they are not."""
        if isinstance(self._connect, Gathers):
            self._connect = self._connect.gathered(self.hosts)
        return self._connect

    def _report(self, operation: Operation | Sequence[Operation], waves: Waves | None) -> Report:
        started_at_s = time.monotonic()
        with closing(results_among(self.events(operation, waves=waves))) as each:
            return self._report_of(list(each), started_at_s)

    def _report_of(self, results: Sequence[Result], started_at_s: float) -> Report:
        names = [host.name for host in self.hosts]
        return Report.of(names, results, wall_seconds=time.monotonic() - started_at_s)


def _suited(connect: Connect, plan: Plan) -> Connect:
    """Return the connect as workers on other machines can use it, if the plan has such."""
    if plan.place is None or not plan.place.is_away or not isinstance(connect, SshConnect):
        return connect
    return AwaySshConnect(keys_from=plan.place.keys_from, ssh=connect)
