"""A server that lets in who answers rightly, and keeps count: asyncssh, which is not paramiko.

with LoginServer(password="right") as server:
    report = Fleet([server.host("web1", password=Secret("right"))]).exec("echo in")
assert server.attempts == [("password", "right")]
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from fleetrun import Host

ADDRESS = "127.0.0.1"
USER = "anybody"

Prompt = tuple[str, bool]
"""Its text, and whether what is typed may be shown."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of a keyboard-interactive talk: what is asked, and the right answers."""

    prompts: Sequence[Prompt] = (("Password: ", False),)
    right: Sequence[str] = ()


class LoginServer:
    """An SSH server on 127.0.0.1, in a thread of its own. A context manager.

    Args:
        folder: where its host key is vouched for.
        password: the password that it takes; None when it takes none.
        talk: the rounds of its keyboard-interactive talk; none when it has none.
        rounds_when_wrong: how many rounds more it asks after a wrong answer.
        public_key: the file of the key that it lets in; None when it takes none.
        signature_algs: the signatures that it says it takes; None for asyncssh's own.

    Attributes:
        port: where it listens.
        attempts: each method and what was answered, in order, of all connections.
    """

    def __init__(
        self,
        folder: Path,
        *,
        password: str | None = None,
        talk: Sequence[Round] = (),
        rounds_when_wrong: int = 0,
        public_key: Path | None = None,
        signature_algs: Sequence[str] | None = None,
    ) -> None:
        self.password = password
        self.talk = tuple(talk)
        self.rounds_when_wrong = rounds_when_wrong
        self.known_hosts = folder / "login_server_known_hosts"
        self.public_key = None if public_key is None else asyncssh.read_public_key(public_key)
        self._signature_algs = signature_algs
        self.attempts: list[tuple[str, ...]] = []
        self.port = 0

    def host(self, name: str, **changes: Any) -> Host:  # noqa: ANN401 (the fields of Host)
        """Return the host of that name that this server is, with the given fields changed."""
        host = Host(
            name=name,
            address=ADDRESS,
            port=self.port,
            user=USER,
            known_hosts=(str(self.known_hosts),),
            login_timeout_s=20.0,
        )
        return dataclasses.replace(host, **changes)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="login server")
        self._thread.start()
        self._server = self._do(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:  # noqa: ANN401 (a coroutine, and what it returns)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        key = asyncssh.generate_private_key("ssh-ed25519")
        more = {} if self._signature_algs is None else {"signature_algs": self._signature_algs}
        server = await asyncssh.listen(
            ADDRESS,
            0,
            server_host_keys=[key],
            server_factory=lambda: _Desk(self),
            process_factory=_say_in,
            **more,
        )
        port = server.sockets[0].getsockname()[1]
        words = key.export_public_key().decode().split()[:2]
        self.known_hosts.write_text(f"[{ADDRESS}]:{port} {' '.join(words)}\n")
        return server

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _say_in(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write("in\n")
    process.exit(0)


class _Desk(asyncssh.SSHServer):
    """Judges one connection's logins."""

    def __init__(self, server: LoginServer) -> None:
        self._server = server
        self._rounds_to_come = list(server.talk)
        self._more = server.rounds_when_wrong

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 (asyncssh's signature)
        return True

    def public_key_auth_supported(self) -> bool:
        return self._server.public_key is not None

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._server.attempts.append(("publickey", key.get_algorithm()))
        return bool(key == self._server.public_key)

    def password_auth_supported(self) -> bool:
        return self._server.password is not None

    def validate_password(self, username: str, password: str) -> bool:  # noqa: ARG002
        self._server.attempts.append(("password", password))
        return password == self._server.password

    def kbdint_auth_supported(self) -> bool:
        return bool(self._server.talk)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:  # noqa: ANN401, ARG002
        self._round = self._rounds_to_come.pop(0)
        return "", "", "", list(self._round.prompts)

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> Any:  # noqa: ANN401
        self._server.attempts.append(("keyboard-interactive", *responses))
        if list(responses) != list(self._round.right):
            self._more -= 1
            return False if self._more < 0 else ("", "", "", list(self._round.prompts))
        if self._rounds_to_come:
            return self.get_kbdint_challenge(username, "", "")
        return True
