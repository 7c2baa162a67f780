"""The lab's servers: one process, one event loop, one SSH server a host. Started by `Lab`.

    python -m fleetrun.lab.serve FOLDER HOSTS RTT_S

Says one JSON line on stdout: `{"hosts": [{"port": …, "host_key": "ssh-ed25519 …"}, …]}` in the
order of lab1, lab2 …, when all of them listen; or `{"error": "…"}`. It ends when its stdin does,
or by SIGINT or SIGTERM, and then kills the commands that run and removes the folder: a parent that
was killed leaves nothing behind. Only this module and those that it imports know asyncssh.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path

import asyncssh

from fleetrun.lab.command import LabHost
from fleetrun.lab.delay import Door
from fleetrun.lab.folder import LabFolder
from fleetrun.lab.server import LabServer

_ADDRESS = "127.0.0.1"
_KEY_TYPE = "ssh-ed25519"
_DESCRIPTORS = 10_240
"""macOS's OPEN_MAX, the most it lets a process ask for; a host takes one, a command four."""


def main(folder: str, hosts: str, rtt_s: str) -> int:
    """Serve until told to end; return the exit status."""
    logging.basicConfig(level=logging.WARNING)  # to stderr, which is the lab's log
    at = LabFolder(path=Path(folder))
    try:
        _raise_descriptor_limit()
        asyncio.run(_serve(at, int(hosts), float(rtt_s)))
    except OSError as error:
        _say({"error": str(error)})
        return 1
    finally:
        at.remove()
    return 0


async def _serve(at: LabFolder, count: int, rtt_s: float) -> None:
    stop = _stop_event()
    key = _make_login_key(at)
    with contextlib.ExitStack() as open_listeners:
        hosts = []
        for number in range(1, count + 1):
            host_key = asyncssh.generate_private_key(_KEY_TYPE)
            listener = await _listen(_make_host(at, number), host_key, key, rtt_s)
            open_listeners.callback(listener.close)
            hosts.append({"port": listener.get_port(), "host_key": _public_line(host_key)})
        _say({"hosts": hosts})
        await stop.wait()


async def _listen(
    host: LabHost, host_key: asyncssh.SSHKey, key: asyncssh.SSHKey, rtt_s: float
) -> asyncssh.SSHAcceptor:
    # Left to itself, asyncio listens nowhere, silently, when it gets no socket (CPython 3.11).
    door = Door(listening=socket.create_server((_ADDRESS, 0)), rtt_s=rtt_s)
    return await asyncssh.listen(
        tunnel=door,
        server_factory=lambda: LabServer(host, key),
        server_host_keys=[host_key],
        encoding=None,
        compression_algs=["none"],
        allow_pty=False,
        agent_forwarding=False,
    )


def _stop_event() -> asyncio.Event:
    """Return what is set when stdin ends, or by SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def read_stdin() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), read_stdin)
    return stop


def _make_login_key(at: LabFolder) -> asyncssh.SSHKey:
    key = asyncssh.generate_private_key(_KEY_TYPE)
    at.private_key.touch(mode=0o600)
    key.write_private_key(at.private_key)
    return key


def _make_host(at: LabFolder, number: int) -> LabHost:
    name = f"lab{number}"
    at.scratch(name).mkdir(parents=True)
    return LabHost(name=name, folder=at.scratch(name))


def _public_line(key: asyncssh.SSHKey) -> str:
    return key.export_public_key().decode().strip()


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(what: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is dead; stdin says so too
        print(json.dumps(what), flush=True)  # noqa: T201 (stdout is the parent's pipe)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
