"""A fake fleet that writes down the secrets it is given: `python taken_secrets.py FILE WORDS…`.

The words are a call of the command line. It runs with hosts in memory, in any mode.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from fleetrun.hosts import Host, Secret
from fleetrun.session import Cancel, OnPhase
from fleetrun.testing import FakeConnect, FakeSession


@dataclass(frozen=True)
class TakingConnect:
    """Lets everybody in, and appends the secrets of each host to a file, a line a host."""

    file: Path

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> FakeSession:
        """Write down what the host was given."""
        taken = {
            "host": host.name,
            "password": _text(host.password),
            "key_passphrase": _text(host.key_passphrase),
            "become_user": host.become_user,
            "become_password": _text(host.become_password),
        }
        with self.file.open("a") as file:
            file.write(json.dumps(taken) + "\n")
        return FakeConnect()(host, on_phase, cancel)


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def taken(file: Path) -> dict[str, dict[str, str | None]]:
    """Return what was written down, by host."""
    lines = map(json.loads, file.read_text().splitlines())
    return {line.pop("host"): line for line in lines}


if __name__ == "__main__":
    import taken_secrets  # by the name that worker processes find it by

    import fleetrun.fleet
    from fleetrun.cli import main

    connect = taken_secrets.TakingConnect(Path(sys.argv[1]))
    fleetrun.fleet.SshConnect = lambda: connect  # type: ignore[assignment,misc]
    sys.exit(main(sys.argv[2:]))
