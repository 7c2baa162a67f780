"""The same small programme with every SSH server that can be had: whose fault is it otherwise?"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest
from jobs import run
from servers import ADDRESS, make_key, require_sshd, start_mock_ssh, start_sshd

from fleetrun import Fleet, Host, Inventory
from fleetrun.hosts import current_user
from fleetrun.lab import Lab
from fleetrun.operations import Exec, Get, Put
from fleetrun.results import Outcome, Phase

PATIENCE_S = 60.0
SIZE = 1_000_000
SBIN = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))

Start = Callable[[Path], contextlib.AbstractContextManager[Host]]


def program(name: str) -> str:
    """Return the path of a server; without it, skip the test, or fail it when CI=true."""
    found = shutil.which(name, path=SBIN)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(f"there is no {name} on this machine", pytrace=False)
    if found is None:
        pytest.skip(f"there is no {name} on this machine")
    return found


# --- the servers ---------------------------------------------------------------------------------


@contextlib.contextmanager
def openssh(folder: Path) -> Iterator[Host]:
    """OpenSSH's sshd."""
    require_sshd()
    with start_sshd(folder) as account:
        yield account.host("openssh", command_timeout_s=PATIENCE_S)


@contextlib.contextmanager
def mock_ssh_server(folder: Path) -> Iterator[Host]:
    """The server of mock-ssh-server, on paramiko."""
    with start_mock_ssh(folder) as account:
        yield account.host("mock", command_timeout_s=PATIENCE_S)


@contextlib.contextmanager
def asyncssh_server(folder: Path) -> Iterator[Host]:
    """The server of asyncssh, as the practice fleet runs it."""
    with Lab(1, folder=folder / "lab") as lab:
        (host,) = Inventory.load(lab.inventory).hosts
        yield host


@contextlib.contextmanager
def dropbear(folder: Path) -> Iterator[Host]:
    """The server of dropbear, one process a connection."""
    key = folder / "host_key"
    made = subprocess.run(
        [program("dropbearkey"), "-t", "ed25519", "-f", key],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    public = next(line for line in made.stdout.splitlines() if line.startswith("ssh-ed25519 "))
    command = [program("dropbear"), "-i", "-s", "-r", str(key)]
    with served(folder, command, public) as host:
        yield host


@contextlib.contextmanager
def tinysshd(folder: Path) -> Iterator[Host]:
    """The server of tinysshd, one process a connection."""
    keys = folder / "keys"
    subprocess.run([program("tinysshd-makekey"), "-q", keys], check=True)
    shown = subprocess.run(
        [program("tinysshd-printkey"), keys], check=True, capture_output=True, text=True
    )
    with served(folder, [program("tinysshd"), "-L", str(keys)], shown.stdout.strip()) as host:
        yield host


@contextlib.contextmanager
def served(folder: Path, command: Sequence[str], public_key: str) -> Iterator[Host]:
    """Serve with a program that speaks on its stdin and stdout, in a home folder of our own.

    Both programs look for authorized_keys in the home folder that the system knows, so a folder
    of the test is mounted over it, for them alone.
    """
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    make_key(folder / "user_key")
    (home / ".ssh" / "authorized_keys").write_text((folder / "user_key.pub").read_text())
    (home / ".ssh" / "authorized_keys").chmod(0o600)
    inside = [*in_other_home(home), *command]
    with Acceptor(inside, folder / "log") as acceptor:
        kind, blob = public_key.split()[:2]
        (folder / "known").write_text(f"[{ADDRESS}]:{acceptor.port} {kind} {blob}\n")
        yield Host(
            name="served",
            address=ADDRESS,
            port=acceptor.port,
            private_key=str(folder / "user_key"),
            known_hosts=(str(folder / "known"),),
            command_timeout_s=PATIENCE_S,
        )


def in_other_home(home: Path) -> list[str]:
    """Return the beginning of a command line that has the folder as the user's home."""
    real = Path(f"~{current_user()}").expanduser()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    beginning = ["unshare", "--mount", "sh", "-c", script, "sh", str(home), str(real)]
    tried = subprocess.run(
        [*beginning, "true"], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    if sys.platform != "linux" or tried.returncode != 0:
        pytest.skip("only root on Linux can give a server another home folder")
    return beginning


@dataclass
class Acceptor:
    """Listens, and starts a program for each connection, which is its stdin and stdout.

    Attributes:
        command: the program.
        log: where its stderr goes.
    """

    command: Sequence[str]
    log: Path

    def __enter__(self) -> Self:
        self._door = socket.create_server((ADDRESS, 0))
        self.port: int = self._door.getsockname()[1]
        self._running: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def _accept(self) -> None:
        with self.log.open("ab") as log:
            while True:
                try:
                    connection, _ = self._door.accept()
                except OSError:
                    return  # the door was closed
                with connection:
                    self._running.append(
                        subprocess.Popen(
                            self.command,
                            stdin=connection.fileno(),
                            stdout=connection.fileno(),
                            stderr=log,
                        )
                    )

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(PATIENCE_S)
        for process in self._running:
            try:
                process.wait(PATIENCE_S)  # each ends with its connection
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# --- the programme -------------------------------------------------------------------------------

SERVERS: list[Start] = [openssh, mock_ssh_server, asyncssh_server, dropbear, tinysshd]
WITH_FILES: list[Start] = [openssh, mock_ssh_server, asyncssh_server]
REAL: list[Start] = [openssh, asyncssh_server, dropbear, tinysshd]
"""Those that do not only mock: they read what they are sent, and end what they are to end."""


def named(start: Start) -> str:
    """Return the name of a server."""
    return start.__name__


every_server = pytest.mark.parametrize("start", SERVERS, ids=named)
every_real_server = pytest.mark.parametrize("start", REAL, ids=named)


@every_server
def test_output_status_and_streams(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as host:
        good = run(host, "echo out; echo err >&2")
        bad = run(host, "exit 3")
    assert (good.outcome, good.stdout, good.stderr) == (Outcome.OK, b"out\n", b"err\n"), good.error
    assert (bad.outcome, bad.exit_status) == (Outcome.FAILED, 3)


@every_real_server
def test_two_commands_over_a_fleet_that_stays_open(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as host, Fleet([host]) as fleet:
        texts = [fleet.exec(f"echo {number}")[host.name].text for number in range(3)]
    assert texts == ["0", "1", "2"]


@every_real_server
def test_input_and_its_end(start: Start, tmp_path: Path) -> None:
    content = b"line\n" * (SIZE // 5)
    with start(tmp_path) as host:
        result = run(host, Exec(command="cat", stdin=content))
        nothing = run(host, "cat")
    assert result.outcome is Outcome.OK, result.error
    assert result.stdout == content
    assert (nothing.outcome, nothing.stdout) == (Outcome.OK, b"")


@every_real_server
def test_a_lot_of_output(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as host:
        result = run(host, f"yes out | head -c {SIZE}")
    assert result.outcome is Outcome.OK, result.error
    assert result.stdout == b"out\n" * (SIZE // 4)


@every_real_server
def test_a_command_that_is_killed(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as host:
        result = run(host, "kill -KILL $$")
    assert (result.outcome, result.signal) == (Outcome.FAILED, "KILL"), result


@every_server
def test_a_refused_key(start: Start, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    with start(tmp_path) as host:
        result = run(replace(host, private_key=str(tmp_path / "stranger")), "true")
    assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert "was refused with key" in str(result.error)


@every_real_server
def test_a_command_that_takes_too_long(start: Start, tmp_path: Path) -> None:
    with start(tmp_path) as host:
        result = run(replace(host, command_timeout_s=0.5), "echo begun; sleep 3; echo over")
    assert (result.outcome, result.stdout) == (Outcome.TIMEOUT, b"begun\n"), result


@pytest.mark.parametrize("start", WITH_FILES, ids=named)
def test_files_there_and_back(start: Start, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(os.urandom(SIZE))
    remote = "there" if start is asyncssh_server else f"{tmp_path}/there"
    with start(tmp_path) as host:
        for _ in range(2):  # the second time over the first one's file
            put = run(host, Put(sources=(source,), target=remote))
            assert put.outcome is Outcome.OK, put.error
        got = run(host, Get(sources=(remote,), target=tmp_path / "here"))
    assert got.outcome is Outcome.OK, got.error
    assert Path(got.files[0]).read_bytes() == source.read_bytes()
