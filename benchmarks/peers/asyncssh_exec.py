"""Run a command on every host with asyncssh: HOSTS USER PRIVATE_KEY AT_ONCE COMMAND."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncssh


async def main(table: str, user: str, private_key: str, at_once: str, command: str) -> int:
    """Return how many hosts were not ok."""
    keys = [asyncssh.read_private_key(private_key)]  # once, not once a host
    places = asyncio.Semaphore(int(at_once))

    async def run(address: str, port: str) -> bool:
        async with places:
            connecting = asyncssh.connect(
                address,
                int(port),
                username=user,
                client_keys=keys,
                known_hosts=None,
                config=None,
                agent_path=None,
            )
            async with connecting as connection:
                return (await connection.run(command)).exit_status == 0

    lines = Path(table).read_text().splitlines()  # noqa: ASYNC240 (before anything runs)
    done = await asyncio.gather(*(run(*line.split()) for line in lines), return_exceptions=True)
    return sum(outcome is not True for outcome in done)


sys.exit(min(1, asyncio.run(main(*sys.argv[1:]))))
