"""SSH servers for the tests: OpenSSH's sshd as an ordinary process, and mock-ssh-server.

with start_sshd(tmp_path, extra=["MaxSessions 1"]) as account:
    host = account.host("web1", command_timeout_s=5.0)
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

import mockssh
import mockssh.server
import paramiko
import pytest
from mockssh.streaming import StreamTransfer

from fleetrun import Host
from fleetrun.hosts import current_user

ADDRESS = "127.0.0.1"
_ATTEMPTS = 5
_PATIENCE_S = 30.0
_POLL_S = 0.01
_PLACES_OF_SSHD = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_LOG_LINES_SHOWN = 60
_DEFAULTS = (
    "Subsystem sftp internal-sftp",
    "MaxStartups 200:30:400",
    "MaxSessions 100",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "LogLevel VERBOSE",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerAccount:
    """An account on a server that runs, and all that is needed to log in to it.

    Attributes:
        address: IP address to dial.
        port: likewise.
        user: the login name.
        private_key: file of a key that is let in.
        known_hosts: file that vouches for the server's key.
        log: what the server says of itself; None when it keeps no log.
    """

    address: str
    port: int
    user: str
    private_key: str
    known_hosts: str
    log: Path | None = None

    def host(self, name: str, **changes: Any) -> Host:  # noqa: ANN401 (the fields of Host)
        """Return the host of that name that is this account, with the given fields changed."""
        host = Host(
            name=name,
            address=self.address,
            port=self.port,
            user=self.user,
            private_key=self.private_key,
            known_hosts=(self.known_hosts,),
        )
        return dataclasses.replace(host, **changes)


def require_sshd() -> str:
    """Return the absolute path of sshd; without one, skip the test, or fail it when CI=true."""
    places = os.pathsep.join((os.environ.get("PATH", ""), *_PLACES_OF_SSHD))
    sshd = shutil.which("sshd", path=places)
    if sshd is not None:
        return str(Path(sshd).absolute())  # it starts itself again, and insists on a full path
    reason = "there is no sshd on this machine (Debian: apt-get install openssh-server)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def start_sshd(folder: Path, extra: Sequence[str] = ()) -> Iterator[ServerAccount]:
    """Run a real sshd on 127.0.0.1 for the calling user, with keys of its own, and end it.

    Args:
        folder: an existing folder; the server's files go into a new one below it.
        extra: lines of sshd_config. One takes the place of the default with its keyword; `Match`
            blocks are allowed, at the end.

    When the block fails, the server's log goes to stderr, where pytest shows it.
    """
    sshd = require_sshd()
    place = _new_folder(folder)
    for name in ("host_key", "user_key"):
        make_key(place / name)
    shutil.copyfile(place / "user_key.pub", place / "authorized_keys")
    process, port = _start(sshd, place, extra)
    try:
        yield _account(place, port)
    except BaseException:
        sys.stderr.write(f"--- log of sshd ---\n{last_lines(place / 'log')}\n")
        raise
    finally:
        _stop(process)


@contextmanager
def start_mock_ssh(folder: Path, user: str = "mock") -> Iterator[ServerAccount]:
    """Run mock-ssh-server, which knows one user, one RSA key and no large output."""
    package = Path(mockssh.__file__).parent
    private_key = folder / "mock_user_key"
    shutil.copyfile(package / "sample-user-key", private_key)
    private_key.chmod(0o600)
    server = mockssh.Server({user: str(private_key)})
    server.handler_cls = _MockHandler
    known_hosts = folder / "mock_known_hosts"
    server.__enter__()
    try:
        _vouch(known_hosts, server.port, (package / "server-key.pub").read_text())
        yield ServerAccount(
            address=server.host,
            port=server.port,
            user=user,
            private_key=str(private_key),
            known_hosts=str(known_hosts),
        )
    finally:
        _stop_mock(server)


def make_key(path: Path, kind: str = "ed25519") -> None:
    """Write a new key pair without a passphrase to path and path.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def last_lines(log: Path) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:])


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return as soon as something is so; fail the test when it never is."""
    until = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < until, "never came to be"
        time.sleep(_POLL_S)


def is_alive(pid: int) -> bool:
    """Return whether a process still runs; one that only waits to be collected does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout.strip()
    return state != "" and not state.startswith("Z")


class _MockHandler(mockssh.server.Handler):  # type: ignore[misc]
    """mock-ssh-server's handler, which leaves no thread and no pipe behind.

    As it comes, it waits forever for the command of a channel that is used for SFTP, and leaves
    the pipes of every command open.
    """

    def run(self) -> None:
        with suppress(EOFError):  # a client that was refused has left before it says so
            super().run()
        for commands in self.command_queues.values():
            commands.put(None)

    def handle_client(self, channel: paramiko.Channel) -> None:
        command = self.command_queues[channel.chanid].get()
        if command is not None:
            with (
                channel,
                subprocess.Popen(command, shell=True, stdin=PIPE, stdout=PIPE, stderr=PIPE) as run,  # noqa: S602
            ):
                StreamTransfer(channel, run).run()
                channel.send_exit_status(run.returncode)


def _stop_mock(server: mockssh.Server) -> None:
    """Stop it as its `__exit__` does, but at once and with its thread."""
    listener, door = server._thread, server._socket
    with suppress(OSError):  # macOS does not shut down a listening socket
        door.shutdown(socket.SHUT_RDWR)
        listener.join()
    door.close()
    listener.join()
    gc.collect()  # nothing else closes its selector


def _new_folder(parent: Path) -> Path:
    number = sum(1 for _ in parent.glob("sshd*"))
    place = parent / f"sshd{number}"
    place.mkdir(mode=0o700)
    return place


def _account(place: Path, port: int) -> ServerAccount:
    _vouch(place / "known_hosts", port, (place / "host_key.pub").read_text())
    return ServerAccount(
        address=ADDRESS,
        port=port,
        user=current_user(),
        private_key=str(place / "user_key"),
        known_hosts=str(place / "known_hosts"),
        log=place / "log",
    )


def _vouch(known_hosts: Path, port: int, public_key: str) -> None:
    kind, blob = public_key.split()[:2]
    known_hosts.write_text(f"[{ADDRESS}]:{port} {kind} {blob}\n")


def _start(sshd: str, place: Path, extra: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start sshd on a free port; on another when somebody else took it in between."""
    if sys.platform == "linux" and os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where it locks up its unprivileged half
    for _ in range(_ATTEMPTS):
        port = _free_port()
        config = place / "sshd_config"
        config.write_text("\n".join(_config(sshd, place, port, extra)) + "\n")
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [sshd, "-D", "-e", "-f", config], stdin=subprocess.DEVNULL, stderr=log
            )
        if _listens(process, place / "log", port):
            return process, port
        process.kill()
        process.wait()
    pytest.fail(f"sshd does not start:\n{last_lines(place / 'log')}", pytrace=False)


def _config(sshd: str, place: Path, port: int, extra: Sequence[str]) -> list[str]:
    own = [
        f"ListenAddress {ADDRESS}:{port}",
        f"HostKey {place}/host_key",
        f"AuthorizedKeysFile {place}/authorized_keys",
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
    ]
    if _knows(sshd, "PerSourcePenalties no"):
        own.append("PerSourcePenalties no")  # since 9.8 it would shut out 127.0.0.1 for a while
    given = {_keyword(line) for line in extra}
    return [*(line for line in (*own, *_DEFAULTS) if _keyword(line) not in given), *extra]


def _keyword(line: str) -> str:
    return line.split(maxsplit=1)[0].lower()


@functools.cache
def _knows(sshd: str, line: str) -> bool:
    """Return whether this sshd understands the line of configuration."""
    command = [sshd, "-t", "-f", "/dev/null", "-o", line]
    said = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    return b"Bad configuration option" not in said.stderr


def _free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _listens(process: subprocess.Popen[bytes], log: Path, port: int) -> bool:
    """Wait until sshd says that it listens; False when it ends instead."""
    until = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < until:
        if f"Server listening on {ADDRESS} port {port}." in log.read_text(errors="replace"):
            return True
        time.sleep(_POLL_S)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End sshd, the processes that serve what was left connected, and their commands."""
    serving = _descendants(process.pid)
    process.terminate()
    process.send_signal(signal.SIGCONT)  # a test may have stopped it
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in serving:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(ancestor: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True)
    parents = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    found = [ancestor]
    for known in found:
        found.extend(pid for pid, parent in parents if parent == known)
    return found[1:]
