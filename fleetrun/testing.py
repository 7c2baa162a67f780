r"""Sessions without a network, for fleetrun's tests and for those of its users.

    connect = FakeConnect({"web1": FakeHost(stdout=b"up 3 days\n"),
                           "web2": FakeHost(fails_in=Phase.CONNECT)})
    with Fleet(["web1", "web2"], connect=connect) as fleet:
        report = fleet.exec("uptime")

A `FakeConnect` is plain data, so it works in every mode, worker processes included.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleetrun.errors import Cancelled, ConnectError, ConnectionLost, DeadlinePassed, Refused
from fleetrun.hosts import Host
from fleetrun.results import Phase, Stream
from fleetrun.session import Cancel, Command, CommandEnd, FileInfo, OnOutput, OnPhase

_LOGIN_PHASES = (
    Phase.RESOLVE,
    Phase.CONNECT,
    Phase.BANNER,
    Phase.KEX,
    Phase.HOSTKEY,
    Phase.AUTH,
)
_POLL_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendezvous:
    """A place where hosts wait for each other, in threads and processes alike.

    Each host that arrives leaves a file in the folder, with the id of the process that works on it
    inside, and goes on when there are `count` of them (or after `patience_s`, as a
    `ConnectionLost`, so that a test fails rather than hangs). Reaching the end proves that `count`
    hosts were being worked on at once.
    """

    folder: Path
    count: int
    patience_s: float = 30.0

    def wait(self, host: str, cancel: Cancel) -> None:
        """Arrive, and return when enough others have."""
        (self.folder / host).write_text(f"{os.getpid()}\n")
        until = time.monotonic() + self.patience_s
        while len(list(self.folder.iterdir())) < self.count:
            if cancel.pressed:
                raise Cancelled("cancelled while it ran")
            if time.monotonic() > until:
                raise ConnectionLost(f"{self.count} hosts never met")
            time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeHost:
    """How one host behaves.

    Attributes:
        stdout: what its command writes.
        stdout_times: how often it writes it, piece by piece.
        tally: a file that grows by one byte before each of these pieces.
        stderr: what it writes to stderr, after all that.
        exit_statuses: what it ends with by command line, where that is not `exit_status`.
        exit_status: what it ends with; None and no signal means that the host never says.
        signal: name of the signal that kills it, without SIG.
        fails_in: the phase in which the connection fails; None for a host that works.
        times_out_in: the phase in which a deadline passes.
        kills_worker_in: the phase in which the process that works on it is killed (SIGKILL).
        takes_s: how long its command sleeps.
        deaf: whether its command goes on when the run is cancelled.
        rendezvous: where its command waits for other hosts.
        files: what its file server has, by path.
        log: a file to which its command appends a line with the host's name when it is run.
        logins: a file to which a login appends a line with the host's name and the process.
        hangs_up: whether the connection ends while nobody uses it.
        raises: text of an exception that is nobody's fault but the code's: a bug.
    """

    stdout: bytes = b""
    stdout_times: int = 1
    tally: Path | None = None
    stderr: bytes = b""
    exit_statuses: Mapping[str, int] = field(default_factory=dict)
    exit_status: int | None = 0
    signal: str | None = None
    fails_in: Phase | None = None
    times_out_in: Phase | None = None
    kills_worker_in: Phase | None = None
    takes_s: float = 0.0
    deaf: bool = False
    rendezvous: Rendezvous | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    log: Path | None = None
    logins: Path | None = None
    hangs_up: bool = False
    raises: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    host: Host
    fake: FakeHost
    on_phase: OnPhase
    cancel: Cancel

    def enter(self, phase: Phase) -> None:
        self.on_phase(phase)
        self.check_cancel()
        if self.fake.kills_worker_in is phase:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fake.fails_in is phase:
            if phase in _LOGIN_PHASES:
                raise ConnectError(f"fake failure in {phase}")
            raise ConnectionLost(f"fake loss in {phase}")
        if self.fake.times_out_in is phase:
            raise DeadlinePassed(f"fake deadline in {phase}")

    def check_cancel(self) -> None:
        if self.cancel.pressed and not self.fake.deaf:
            raise Cancelled("cancelled while it ran")


class FakeSession:
    """A `fleetrun.session.Reusable` in memory."""

    def __init__(self, script: _Script) -> None:
        self._script = script
        self._under_way = False
        self.closed = False

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        """Do what the fake host says, entering the phases that a real one would."""
        fake = self._script.fake
        self._under_way = True
        for phase in (Phase.SESSION, Phase.EXEC, Phase.RUN):
            self._script.enter(phase)
        if fake.raises is not None:
            raise RuntimeError(fake.raises)
        if fake.log is not None:
            with fake.log.open("a") as log:
                log.write(f"{self._script.host.name}\n")
        self._write(on_output)
        if fake.rendezvous is not None:
            fake.rendezvous.wait(self._script.host.name, self._script.cancel)
        self._sleep(fake.takes_s, command.timeout_s)
        exit_status = fake.exit_statuses.get(command.line, fake.exit_status)
        self._under_way = False
        return CommandEnd(exit_status=exit_status, signal=fake.signal)

    def _write(self, on_output: OnOutput) -> None:
        fake = self._script.fake
        for _ in range(fake.stdout_times if fake.stdout else 0):
            self._script.check_cancel()
            if fake.tally is not None:
                with fake.tally.open("ab") as tally:
                    tally.write(b"x")
            on_output(Stream.STDOUT, fake.stdout)
        if fake.stderr:
            on_output(Stream.STDERR, fake.stderr)

    def _sleep(self, seconds: float, timeout_s: float | None) -> None:
        until = time.monotonic() + seconds
        deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
        while (now := time.monotonic()) < until:
            self._script.check_cancel()
            if now >= deadline:
                raise DeadlinePassed(f"no end within {timeout_s} s")
            time.sleep(min(_POLL_S, until - now))

    def files(self, *, timeout_s: float | None) -> FakeFiles:  # noqa: ARG002
        """Open the fake host's files."""
        self._script.enter(Phase.SESSION)
        self._script.enter(Phase.TRANSFER)
        return FakeFiles(dict(self._script.fake.files))

    def close(self) -> None:
        """Note that the session was closed."""
        self.closed = True

    def rest(self) -> bool:
        """Return whether no command was broken off."""
        return not self._under_way

    def tend(self) -> bool:
        """Return whether the fake host has not hung up."""
        return not (self.closed or self._script.fake.hangs_up)

    def wake(self, on_phase: OnPhase, cancel: Cancel) -> bool:
        """Go over to another run, unless the fake host has hung up."""
        self._script = replace(self._script, on_phase=on_phase, cancel=cancel)
        return self.tend()


class FakeFiles:
    """A `fleetrun.session.RemoteFiles` in memory.

    Args:
        contents: what there is, by path; changed in place.
        refuse_write_after: how many pieces a write takes before it is refused; None for all.
        refuse_replace: whether renaming is refused.
        folders: paths that are folders.
    """

    def __init__(
        self,
        contents: dict[str, bytes],
        *,
        refuse_write_after: int | None = None,
        refuse_replace: bool = False,
        folders: Iterable[str] = (),
    ) -> None:
        self.contents = contents
        self.modes: dict[str, int] = {}
        self.closed = False
        self._refuse_write_after = refuse_write_after
        self._refuse_replace = refuse_replace
        self._folders = frozenset(folders)

    def info(self, path: str) -> FileInfo | None:
        """Return what there is at the path."""
        if path in self._folders:
            return FileInfo(size_bytes=None, mode=0o755, is_folder=True)
        if path not in self.contents:
            return None
        size = len(self.contents[path])
        return FileInfo(size_bytes=size, mode=self.modes.get(path, 0o644), is_folder=False)

    def write(self, path: str, pieces: Iterable[bytes], *, mode: int) -> int:
        """Write the pieces, or refuse as told to."""
        if path in self.contents:
            raise Refused(f"{path}: exists")
        self.modes[path] = mode
        self.contents[path] = b""
        for count, piece in enumerate(pieces):
            if count == self._refuse_write_after:
                raise Refused(f"{path}: No space left on device")
            self.contents[path] += piece
        return len(self.contents[path])

    def read(self, path: str) -> Generator[bytes, None, None]:
        """Yield the content in one piece."""
        if path not in self.contents:
            raise Refused(f"{path}: No such file")
        yield self.contents[path]

    def replace(self, source: str, target: str) -> None:
        """Rename, or refuse as told to."""
        if self._refuse_replace:
            raise Refused(f"{target}: Permission denied")
        self.contents[target] = self.contents.pop(source)
        self.modes[target] = self.modes.pop(source, 0o644)

    def remove(self, path: str) -> None:
        """Remove the file."""
        self.contents.pop(path, None)

    def discard(self, path: str) -> bool:
        """Remove the file, or say that it is still there."""
        try:
            self.remove(path)
        except Refused:
            return False
        return True

    def close(self) -> None:
        """Note that the files were closed."""
        self.closed = True


@dataclass(frozen=True, slots=True)
class FakeConnect:
    """A `fleetrun.session.Connect` to fake hosts, by name; unknown names get a host that works."""

    hosts: Mapping[str, FakeHost] = field(default_factory=dict)
    others: FakeHost = field(default_factory=FakeHost)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> FakeSession:
        """Enter the phases up to auth, or fail where the host says so."""
        fake = self.hosts.get(host.name, self.others)
        script = _Script(host=host, fake=fake, on_phase=on_phase, cancel=cancel)
        for phase in _LOGIN_PHASES:
            script.enter(phase)
        if fake.logins is not None:
            with fake.logins.open("a") as logins:
                logins.write(f"{host.name} {os.getpid()}\n")
        return FakeSession(script)
