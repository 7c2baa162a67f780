"""The program behind `simulated_hosts`: one SSH server that is every host of 127/8.

    python simulated_server.py LISTENING_FD FOLDER

asyncssh with the cheapest algorithms that fleetrun offers, one host key and no shell: a command is
a wait, and exits with 0. Each event is a line in FOLDER/events, written before its host is told.

stdin: a JSON line for each order, answered by a line on stdout, which says that it counts from now
on; the first line is said when all is ready. The program ends when stdin does.

    {"delay_s": 2.0, "addresses": ["127.16.0.1"]}   what commands take from now on, there or (none)
                                                    everywhere; null is until they are released
    {"release": true}                               all that run end, and later ones take no time
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import asyncssh

_LOOPBACK = "127."
_BACKLOG = 4096


class Server:
    """All hosts: what their commands take, which ones run, and the log of what happens."""

    def __init__(self, folder: Path) -> None:
        self.key = asyncssh.read_public_key(folder / "login_key.pub").public_data
        self.password = (folder / "password").read_text()
        self.output = (folder / "output").read_bytes()
        self.running: set[Command] = set()
        self._events = os.open(folder / "events", os.O_WRONLY | os.O_APPEND)
        self._delay_s: float | None = 0.0
        self._delays_s: dict[str, float | None] = {}

    def note(self, event: str, address: str) -> None:
        """Write an event down."""
        os.write(self._events, f"{event} {address}\n".encode())

    def delay_s(self, address: str) -> float | None:
        """Return what a command takes there now; None means until it is released."""
        return self._delays_s.get(address, self._delay_s)

    def obey(self, order: dict[str, Any]) -> None:
        """Do as the test says."""
        if "release" in order:
            self._delay_s, self._delays_s = 0.0, {}
            for command in tuple(self.running):
                command.end()
        elif order["addresses"]:
            self._delays_s.update(dict.fromkeys(order["addresses"], order["delay_s"]))
        else:
            self._delay_s, self._delays_s = order["delay_s"], {}


class Visitor(asyncssh.SSHServer):
    """One connection to one host."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._address = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note it; one that does not come from this machine is no host's."""
        address: str = conn.get_extra_info("sockname")[0]
        if address.startswith(_LOOPBACK):
            self._address = address
            self._server.note("connected", address)
        else:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncssh's signature)
        """Note that it is over."""
        if self._address:
            self._server.note("left", self._address)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        """Let nobody in without a key or the password."""
        return True

    def public_key_auth_supported(self) -> bool:
        """Say that the key will do."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Return whether it is the login key."""
        return key.public_data == self._server.key

    def password_auth_supported(self) -> bool:
        """Say that the password will do."""
        return True

    def validate_password(self, username: str, password: str) -> bool:  # noqa: ARG002
        """Return whether it is the password."""
        return password == self._server.password

    def auth_completed(self) -> None:
        """Note the login."""
        self._server.note("login", self._address)

    def session_requested(self) -> Command:
        """Give a channel its command."""
        return Command(self._server, self._address)


class Command(asyncssh.SSHServerSession[bytes]):
    """One command: begun, ended after its host's delay, or torn off with its connection."""

    def __init__(self, server: Server, address: str) -> None:
        self._server = server
        self._address = address
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Keep the channel."""
        self._channel = chan

    def exec_requested(self, command: str) -> bool:  # noqa: ARG002
        """Take any command."""
        self._server.note("begun", self._address)
        return True

    def session_started(self) -> None:
        """Run it."""
        self._server.running.add(self)
        delay_s = self._server.delay_s(self._address)
        if delay_s == 0:
            self.end()
        elif delay_s is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.end)

    def end(self) -> None:
        """Exit with 0."""
        self._server.running.discard(self)
        self._server.note("ended", self._address)
        if self._server.output:
            self._channel.write(self._server.output)
        self._channel.exit(0)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Do no more: it has ended, or never will."""
        self._server.running.discard(self)
        if self._timer is not None:
            self._timer.cancel()


async def main(listening_fd: int, folder: Path) -> None:
    """Serve until stdin ends."""
    server = Server(folder)
    acceptor = await asyncssh.listen(
        sock=socket.socket(fileno=listening_fd),
        backlog=_BACKLOG,
        server_factory=lambda: Visitor(server),
        server_host_keys=[str(folder / "host_key")],
        kex_algs=["curve25519-sha256"],
        encryption_algs=["aes128-gcm@openssh.com"],
        compression_algs=["none"],
        gss_host=None,
        encoding=None,
        allow_pty=False,
        agent_forwarding=False,
    )
    print("ready", flush=True)  # noqa: T201 (stdout is the test's pipe)
    await obey_stdin(server)
    acceptor.close()


async def obey_stdin(server: Server) -> None:
    """Take orders until stdin ends."""
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        server.obey(json.loads(line))
        print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
