"""A file server with a fault for each user: asyncssh's SFTP server, which speaks the real protocol.

with FaultyFiles(folder, {"web0": Fault(refuses="write", after=0)}) as server:
    result = Fleet([server.host("web0")]).put("file")["web0"]
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh
from asyncssh.sftp import SFTPAttrs

from fleetrun import Host

ADDRESS = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with one user's files.

    Attributes:
        refuses: the kind of request that is refused, by the name of asyncssh's method; "" for none.
        after: how many of that kind are granted before.
        claims_bytes: the size that it claims of every file; None for the true one.
        cuts_to: to so many bytes every file is cut when it is first read; None leaves it alone.
        appends: what is appended to a file each time that it is read.
    """

    refuses: str = ""
    after: int = 0
    claims_bytes: int | None = None
    cuts_to: int | None = None
    appends: bytes = b""


class FaultyFiles:
    """An SSH server on 127.0.0.1 that serves files, each user's below a folder of the user's own.

    Anybody is let in with any key. A context manager; runs in a thread of its own.

    Args:
        folder: where the users' folders are made, and its host key is vouched for.
        faults: the users, and what goes wrong with their files.
    """

    def __init__(self, folder: Path, faults: Mapping[str, Fault]) -> None:
        self._folder = folder
        self.faults = faults
        self.known_hosts = folder / "faulty_files_known_hosts"
        self.port = 0
        for user in faults:
            self.files_of(user).mkdir()

    def files_of(self, user: str) -> Path:
        """Return the folder that is the user's root."""
        return self._folder / f"files_of_{user}"

    def host(self, user: str, private_key: Path) -> Host:
        """Return the host of that name that the user's account is."""
        return Host(
            name=user,
            address=ADDRESS,
            port=self.port,
            user=user,
            private_key=str(private_key),
            known_hosts=(str(self.known_hosts),),
            connect_timeout_s=30.0,
            command_timeout_s=60.0,
        )

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty files")
        self._thread.start()
        self._server = self._do(self._listen())
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
        server = await asyncssh.listen(
            ADDRESS,
            0,
            server_host_keys=[key],
            server_factory=_LetsIn,
            sftp_factory=lambda channel: _Files(self, channel),
            allow_scp=False,
        )
        self.port = server.sockets[0].getsockname()[1]
        words = key.export_public_key().decode().split()[:2]
        self.known_hosts.write_text(f"[{ADDRESS}]:{self.port} {' '.join(words)}\n")
        return server

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _LetsIn(asyncssh.SSHServer):
    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        return True


class _Files(asyncssh.SFTPServer):
    """One session's files."""

    def __init__(self, server: FaultyFiles, channel: Any) -> None:  # noqa: ANN401 (asyncssh's)
        user = channel.get_extra_info("username")
        self._root = server.files_of(user)
        self._fault = server.faults[user]
        self._granted = 0
        self._cut = False
        super().__init__(channel, chroot=str(self._root).encode())

    def _ask(self, kind: str) -> None:
        if kind != self._fault.refuses:
            return
        if self._granted == self._fault.after:
            raise asyncssh.SFTPFailure(f"no {kind} today")
        self._granted += 1

    def open(self, path: bytes, pflags: int, attrs: SFTPAttrs) -> object:
        self._ask("open")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:  # noqa: ANN401 (asyncssh's)
        self._ask("write")
        return super().write(file_obj, offset, data)

    def fsetstat(self, file_obj: object, attrs: SFTPAttrs) -> Any:  # noqa: ANN401
        self._ask("fsetstat")
        return super().fsetstat(file_obj, attrs)

    def close(self, file_obj: object) -> Any:  # noqa: ANN401
        super().close(file_obj)
        self._ask("close")

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:  # noqa: ANN401
        self._ask("rename")
        return super().posix_rename(oldpath, newpath)

    def stat(self, path: bytes) -> Any:  # noqa: ANN401
        self._ask("stat")
        attributes = SFTPAttrs.from_local(super().stat(path))
        if self._fault.claims_bytes is not None:
            attributes.size = self._fault.claims_bytes
        return attributes

    def read(self, file_obj: Any, offset: int, size: int) -> Any:  # noqa: ANN401
        self._ask("read")
        if self._fault.cuts_to is not None and not self._cut:
            self._cut = True
            for file in self._root.iterdir():
                file.write_bytes(file.read_bytes()[: self._fault.cuts_to])
        if self._fault.appends:
            for file in self._root.iterdir():
                with file.open("ab") as grown:
                    grown.write(self._fault.appends)
        return super().read(file_obj, offset, size)
