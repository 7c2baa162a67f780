"""The clients that are compared: what each is started with, and whether it is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from addresses import Addresses

_PEERS = Path(__file__).parent / "peers"

MAX_SSH_AT_ONCE = 256
"""For clients that start an `ssh` a host: more of them at once are slower on few cores."""

Arguments = Callable[[Addresses, str, int], Sequence[str | Path]]
"""From the hosts, the command and how many hosts at once to the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One way to run a command on all hosts.

    Attributes:
        name: its name in the table.
        needs: the program or the Python module that must be there.
        arguments: makes its command line.
        checks_keys: whether it checks host keys, as run here.
        starts_ssh: whether it starts a process a host.
        environment: what it is told by variables.
    """

    name: str
    needs: str
    arguments: Arguments
    checks_keys: bool = True
    starts_ssh: bool = False
    environment: Callable[[Addresses], Mapping[str, str]] = field(default=lambda _: {})

    @property
    def installed(self) -> bool:
        """Whether it can be run here."""
        return shutil.which(self.needs) is not None or _has_module(self.needs)

    def at_once(self, forks: int) -> int:
        """Return how many hosts at once it is told to work on when forks are asked for."""
        return min(forks, MAX_SSH_AT_ONCE) if self.starts_ssh else forks


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _fleetrun(mode: str) -> Client:
    def arguments(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
        options = ["--mode", mode, "--forks", str(forks), "--quiet", "--known-hosts"]
        return [
            *(sys.executable, "-m", "fleetrun", "exec", "-i", to.inventory),
            *(*options, to.known_hosts, "--", command),
        ]

    return Client(name=f"fleetrun {mode}", needs="fleetrun", arguments=arguments)


def _script(name: str, needs: str) -> Client:
    """Return a peer that is a library, driven by the shortest script of ours that does it well."""

    def arguments(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
        script = _PEERS / f"{name.replace('-', '_')}_exec.py"
        return [sys.executable, script, to.table, to.user, to.private_key, str(forks), command]

    return Client(name=name, needs=needs, arguments=arguments, checks_keys=False)


def _clush(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
    return [
        *("clush", "-q", "--hostfile", to.names, "-f", str(forks)),
        *("-o", f"-F {to.ssh_config}", command),
    ]


def _pdsh(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
    return ["pdsh", "-R", "ssh", "-f", str(forks), "-w", f"^{to.names}", command]


def _pssh(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
    return [
        *("parallel-ssh", "-h", to.names, "-p", str(forks), "-t", "0"),
        *("-x", f"-F {to.ssh_config}", command),
    ]


def _ansible(to: Addresses, command: str, forks: int) -> Sequence[str | Path]:
    """Use its raw module, which runs the command alone, without Python on the host."""
    return ["ansible", "all", "-i", to.inventory, "-f", str(forks), "-m", "raw", "-a", command]


CLIENTS = (
    _fleetrun("threads"),
    _fleetrun("greenlets"),
    _fleetrun("hybrid"),
    _script("asyncssh", "asyncssh"),
    _script("parallel-ssh", "pssh"),
    _script("fabric", "fabric"),
    Client(name="clush", needs="clush", arguments=_clush, starts_ssh=True),
    Client(
        name="pdsh",
        needs="pdsh",
        arguments=_pdsh,
        starts_ssh=True,
        environment=lambda to: {"PDSH_SSH_ARGS_APPEND": f"-F {to.ssh_config}"},
    ),
    Client(name="pssh", needs="parallel-ssh", arguments=_pssh, starts_ssh=True),
    Client(
        name="ansible",
        needs="ansible",
        arguments=_ansible,
        starts_ssh=True,
        environment=lambda to: {
            # no master that lives on after the run: its processor time would be in no account
            "ANSIBLE_SSH_ARGS": f"-F {to.ssh_config} -o ControlMaster=no -o ControlPath=none",
            "ANSIBLE_CONFIG": str(to.ansible_cfg),
            "ANSIBLE_SSH_USETTY": "False",  # the others ask for no terminal either
            "LC_ALL": "C.UTF-8",  # it refuses to start without UTF-8
        },
    ),
)


def version(client: Client) -> str:
    """Return the version of the Python package that the client is; empty for other programs."""
    package = {"fabric": "fabric", "ansible": "ansible-core"}.get(client.name, client.name)
    try:
        return importlib.metadata.version(package.split()[0])
    except importlib.metadata.PackageNotFoundError:
        return ""
