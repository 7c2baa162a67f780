"""Run a command on every host with fabric: HOSTS USER PRIVATE_KEY AT_ONCE COMMAND.

Its groups start a thread a host, all at once: AT_ONCE has no meaning to it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fabric import Connection, ThreadingGroup


def main(table: str, user: str, private_key: str, at_once: str, command: str) -> int:  # noqa: ARG001 (see above)
    """Return how many hosts were not ok."""
    group = ThreadingGroup.from_connections(
        Connection(
            address,
            user=user,
            port=int(port),
            connect_kwargs={
                "key_filename": private_key,
                "allow_agent": False,
                "look_for_keys": False,
            },
        )
        for address, port in map(str.split, Path(table).read_text().splitlines())
    )
    results = group.run(command, hide=True, in_stream=False)
    return sum(not result.ok for result in results.values())


sys.exit(min(1, main(*sys.argv[1:])))
