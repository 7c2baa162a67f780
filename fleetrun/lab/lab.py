"""The lab as its user sees it: servers that run while a `with` block does. Beside the road."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fleetrun.errors import DependencyError, FleetrunError, UsageError
from fleetrun.hosts import current_user
from fleetrun.lab.child import Child, Listening
from fleetrun.lab.folder import LabFolder

_ADDRESS = "127.0.0.1"


class Lab:
    """A practice fleet on this machine: SSH servers on 127.0.0.1, in one child process.

    The hosts are lab1, lab2 and so on, each with its own port, host key and scratch folder. Only
    the calling user gets in, with the lab's own key. SFTP sees the scratch folder as `/` and
    nothing else. A command is a real one: it runs as the calling user in a shell on this machine,
    begins in the scratch folder, which is its HOME, finds the host's name in FLEETRUN_LAB_HOST,
    and may do whatever the user may; when it ends or its client goes away, what it has started is
    killed.

    Args:
        hosts: how many.
        rtt_s: seconds of a round trip to each of them; 0 for none but the machine's own.
        folder: where to keep the lab's files; must not exist. None takes a temporary folder.

    Attributes (once it is entered):
        folder: all of the lab's files; only the user can enter it; removed at the end.
        inventory: the inventory that reaches the hosts.
        known_hosts: their host keys.
        private_key: the key that logs in.

    Raises `UsageError` when the arguments cannot be used. Entering raises `DependencyError`
    without asyncssh and `FleetrunError` when the servers do not start. The servers end with the
    calling process, however it ends. Use from one thread.
    """

    folder: Path
    inventory: Path
    known_hosts: Path
    private_key: Path

    def __init__(self, hosts: int, rtt_s: float = 0.0, folder: Path | None = None) -> None:
        if hosts < 1:
            raise UsageError(f"a lab of {hosts} hosts is none; give 1 or more")
        if not 0 <= rtt_s < math.inf:
            raise UsageError(f"a round trip of {rtt_s} seconds cannot be; give 0 or more")
        self._hosts = hosts
        self._rtt_s = rtt_s
        self._wanted_folder = folder
        self._child: Child | None = None

    def __enter__(self) -> Self:
        if importlib.util.find_spec("asyncssh") is None:
            raise DependencyError("the lab needs asyncssh: pip install 'fleetrun[lab]'")
        self._at = LabFolder.make(self._wanted_folder)
        try:
            self._start()
        except OSError as error:
            self._stop()
            raise FleetrunError(f"the lab did not start: {error}") from error
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def wait(self) -> None:
        """Return when the servers have ended; raises `FleetrunError` when they have failed.

        They end by themselves only when they are sent SIGINT or SIGTERM.
        """
        if self._child is not None:
            self._child.wait()

    def _start(self) -> None:
        at = self._at
        self.folder, self.inventory = at.path, at.inventory
        self.known_hosts, self.private_key = at.known_hosts, at.private_key
        self._child = Child(at, hosts=self._hosts, rtt_s=self._rtt_s)
        hosts = self._child.await_ready()
        at.known_hosts.write_text(_known_hosts(hosts))
        at.inventory.write_text(_inventory(hosts, at))

    def _stop(self) -> None:
        if self._child is not None:
            self._child.stop()
        self._at.remove()


def _known_hosts(hosts: Sequence[Listening]) -> str:
    return "".join(f"[{_ADDRESS}]:{host.port} {host.host_key}\n" for host in hosts)


def _inventory(hosts: Sequence[Listening], at: LabFolder) -> str:
    """Return the inventory in Ansible's layout, as the YAML loader reads it."""
    import yaml  # noqa: PLC0415 (slow, and the lab may fail before)

    shared = {
        "host": _ADDRESS,
        "user": current_user(),
        "private_key": str(at.private_key),
        "known_hosts": str(at.known_hosts),
    }
    ports = {f"lab{number}": {"port": host.port} for number, host in enumerate(hosts, start=1)}
    return yaml.safe_dump({"all": {"vars": shared, "hosts": ports}}, sort_keys=False)
