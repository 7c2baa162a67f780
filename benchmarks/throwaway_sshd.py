"""A real sshd on this machine for as long as a benchmark lasts, and how to reach it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetrun import Host
from fleetrun.hosts import current_user

_ADDRESS = "127.0.0.1"
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: as a host of fleetrun, and as the beginning of ssh's command line."""

    host: Host
    version: str

    def ssh(self, *command: str, options: tuple[str, ...] = ()) -> list[str]:
        """Return the command line of `ssh` that does the same, with further -o options."""
        (known_hosts,) = self.host.known_hosts
        settings = (
            *options,
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "LogLevel=ERROR",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={known_hosts}",
        )
        return [
            *("ssh", "-F", "none", "-T", "-i", str(self.host.private_key)),
            *("-p", str(self.host.port)),
            *(f"-o{setting}" for setting in settings),
            f"{self.host.user}@{self.host.address}",
            *command,
        ]


@contextmanager
def throwaway_sshd() -> Iterator[Server]:
    """Run sshd for the calling user on 127.0.0.1, with keys of its own, and end it."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")
    if sshd is None:
        sys.exit("there is no sshd on this machine (Debian: apt-get install openssh-server)")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        port = _free_port()
        _write_files(place, port)
        command = [sshd, "-D", "-e", "-f", str(place / "config")]
        with (place / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                _wait_for(process, port, place / "log")
                yield Server(host=_host(place, port), version=_version())
            finally:
                process.terminate()


def _write_files(place: Path, port: int) -> None:
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", place / name]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (place / "known_hosts").write_text(f"[{_ADDRESS}]:{port} {(place / 'host.pub').read_text()}")
    lines = (
        f"ListenAddress {_ADDRESS}:{port}",
        f"HostKey {place}/host",
        f"AuthorizedKeysFile {place}/user.pub",
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
        "MaxStartups 100",
        f"SetEnv HOME={place}/home",  # what stands in the caller's .bashrc is no business of ours
    )
    (place / "home").mkdir()
    (place / "config").write_text("\n".join(lines) + "\n")


def _host(place: Path, port: int) -> Host:
    return Host(
        name="sshd",
        address=_ADDRESS,
        port=port,
        user=current_user(),
        private_key=str(place / "user"),
        known_hosts=(str(place / "known_hosts"),),
    )


def _free_port() -> int:
    with socket.create_server((_ADDRESS, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while f"port {port}." not in log.read_text():
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"sshd does not start:\n{log.read_text()}")
        time.sleep(0.01)


def _version() -> str:
    said = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    return said.split(",", 1)[0].strip()
