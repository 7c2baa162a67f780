"""Run a command on every host with parallel-ssh: HOSTS USER PRIVATE_KEY AT_ONCE COMMAND."""

from __future__ import annotations

import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig


def main(table: str, user: str, private_key: str, at_once: str, command: str) -> int:
    """Return how many hosts were not ok."""
    hosts = [line.split() for line in Path(table).read_text().splitlines()]
    client = ParallelSSHClient(
        [address for address, _ in hosts],
        user=user,
        pkey=private_key,
        host_config=[HostConfig(port=int(port)) for _, port in hosts],
        pool_size=int(at_once),
        allow_agent=False,
        identity_auth=False,
    )
    outputs = client.run_command(command, stop_on_errors=False)
    client.join(outputs)
    return sum(output.exit_code != 0 for output in outputs)


sys.exit(min(1, main(*sys.argv[1:])))
