"""The command line, called in a process of its own, as its users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetrun import Host

_PATIENCE_S = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one call came to."""

    code: int
    out: str
    err: str


def words_of(*arguments: str | Path) -> list[str]:
    """Return the words that call the command line."""
    return [sys.executable, "-m", "fleetrun", *map(str, arguments)]


def environment_in(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment whose home is the folder, without keys, agents and inventories."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    return {**own, **(more or {})}


def call(*arguments: str | Path, folder: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Call the command line in a folder, without a terminal."""
    ran = subprocess.run(
        words_of(*arguments),
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env=environment_in(folder, environment),
        timeout=_PATIENCE_S,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return Ran(code=ran.returncode, out=ran.stdout, err=ran.stderr)


def write_inventory(file: Path, *hosts: Host, **more: str) -> None:
    """Write an inventory of the hosts; more variables are for all of them."""
    lines = ["all:", "  vars:", *(f"    {name}: {value}" for name, value in more.items())]
    lines = [*(lines if more else ["all:"]), "  hosts:"]
    for host in hosts:
        given = {
            "host": host.address,
            "port": str(host.port),
            "user": host.user,
            "known_hosts": list(host.known_hosts),
            **({} if host.private_key is None else {"private_key": host.private_key}),
        }
        lines.append(f"    {host.name}: {json.dumps(given)}")
    file.write_text("\n".join(lines) + "\n")
