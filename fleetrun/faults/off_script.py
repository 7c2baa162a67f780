"""A server that speaks SSH correctly up to one point and then does not: paramiko off its script.

    with OffScriptServer(on_exec=answers.never) as server:
        known_hosts.write_text(server.known_hosts_line)
        host = Host(name="web1", address="127.0.0.1", port=server.port, …)

The only module of `fleetrun.faults` that speaks paramiko.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
from types import TracebackType
from typing import Self

import paramiko
from paramiko import common

from fleetrun.faults import answers
from fleetrun.faults.answers import Answer, OnLogin, Verdict
from fleetrun.faults.servers import VisitOver, wake_and_close

logging.getLogger("paramiko").addHandler(logging.NullHandler())

_VERDICTS = {
    Verdict.ACCEPT: common.AUTH_SUCCESSFUL,
    Verdict.REFUSE: common.AUTH_FAILED,
    Verdict.HALF_WAY: common.AUTH_PARTIALLY_SUCCESSFUL,
}
_BY_APPLICATION = 11
"""RFC 4253, section 11.1."""


class OffScriptServer:
    """An SSH server on 127.0.0.1 that goes wrong where it is told to. A context manager.

    Args:
        on_exec: what it does with a request to run a command; see `fleetrun.faults.answers`.
        on_login: what it says to a login request; by default any key or password of any user is
            let in.
        banner: text that it sends while a client logs in (RFC 4252, section 5.4); None for none.
        max_sessions: channels that it opens on one connection; None for any number.
        host_keys: how many host keys it has; its connections show them in turn.

    Attributes:
        port: where it listens; 0 before `__enter__`.
        logins: method and user of each login request, in order, of all connections.
        commands: the commands that it was asked to run, in order, of all connections.
        password_seen: whether any password was sent to it.
    """

    def __init__(
        self,
        *,
        on_exec: Answer | None = None,
        on_login: OnLogin = answers.let_in,
        banner: str | None = None,
        max_sessions: int | None = None,
        host_keys: int = 1,
    ) -> None:
        self.on_exec = on_exec or answers.finish()
        self.on_login = on_login
        self.banner = banner
        self.max_sessions = max_sessions
        self._host_keys = [paramiko.ECDSAKey.generate() for _ in range(host_keys)]
        self._turns = itertools.cycle(self._host_keys)
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._transports: list[paramiko.Transport] = []
        self.port = 0
        self.logins: list[tuple[str, str]] = []
        self.commands: list[bytes] = []
        self.password_seen = False

    @property
    def known_hosts_line(self) -> str:
        """The line of known_hosts that vouches for its first host key."""
        key = self._host_keys[0]
        return f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(
            target=self._accept, name=f"off-script server {self.port}", daemon=True
        )
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections and threads."""
        self.closing.set()
        wake_and_close(self._listener, self.port)
        self._acceptor.join()
        for transport in self._transports:
            transport.close()
            transport.join()
            transport.sock.close()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self.closing.is_set():
                sock.close()
                return
            # without it the last words before a close may still wait here for an acknowledgement
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = paramiko.Transport(sock)
            transport.add_server_key(next(self._turns))
            # the table belongs to the class; the request handler is ours for this one alone
            transport._channel_handler_table = {  # noqa: SLF001
                **paramiko.Transport._channel_handler_table,  # noqa: SLF001
                common.MSG_CHANNEL_REQUEST: self._take_request,
            }
            self._transports.append(transport)
            transport.start_server(event=threading.Event(), server=_Desk(self))

    def _take_request(self, channel: paramiko.Channel, message: paramiko.Message) -> None:
        kind = message.get_text()
        if kind != "exec":
            message.rewind()
            message.get_byte()
            message.get_int()
            channel._handle_request(message)  # noqa: SLF001 (what its own table would do)
            return
        message.get_boolean()
        request = _Request(channel, message.get_binary(), self.closing)
        self.commands.append(request.command)
        thread = threading.Thread(target=self._answer, args=(request,), daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _answer(self, request: _Request) -> None:
        with contextlib.suppress(VisitOver):
            self.on_exec(request)


class _Desk(paramiko.ServerInterface):
    """Judges login and channel requests as the server was told to."""

    def __init__(self, server: OffScriptServer) -> None:
        self._server = server
        self._sessions = 0

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 (paramiko's signature)
        return "publickey,password"

    def get_banner(self) -> tuple[str | None, str | None]:
        return self._server.banner, "en-US" if self._server.banner else None

    def check_auth_none(self, username: str) -> int:
        return self._judge(username, "none")

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return self._judge(username, "publickey")

    def check_auth_password(self, username: str, password: str) -> int:
        self._server.password_seen = True
        return self._judge(username, "password", password)

    def _judge(self, user: str, method: str, password: str = "") -> int:
        self._server.logins.append((method, user))
        verdict = self._server.on_login(method, password)
        if verdict is Verdict.SILENCE:
            self._server.closing.wait()
            return int(common.AUTH_FAILED)
        return int(_VERDICTS[verdict])

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        self._sessions += 1
        most = self._server.max_sessions
        if most is not None and self._sessions > most:
            return int(common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED)
        return int(common.OPEN_SUCCEEDED)


class _Request:
    """An `answers.ExecRequest` on a channel of paramiko's."""

    def __init__(self, channel: paramiko.Channel, command: bytes, closing: threading.Event) -> None:
        self._channel = channel
        self._closing = closing
        self.command = command

    def accept(self) -> None:
        self._send(common.cMSG_CHANNEL_SUCCESS)

    def refuse(self) -> None:
        self._send(common.cMSG_CHANNEL_FAILURE)

    def write(self, data: bytes, *, to_stderr: bool = False) -> None:
        send = self._channel.sendall_stderr if to_stderr else self._channel.sendall
        try:
            send(data)
        except OSError:
            raise VisitOver from None

    def flood(self, data: bytes) -> None:
        self._send(common.cMSG_CHANNEL_DATA, data)

    def exit_with(self, status: int) -> None:
        self._send(common.cMSG_CHANNEL_REQUEST, b"exit-status", False, status)

    def die_by(self, signal: str) -> None:
        no_core, words, language = False, b"", b""
        self._send(
            common.cMSG_CHANNEL_REQUEST,
            b"exit-signal",
            False,
            signal.encode(),
            no_core,
            words,
            language,
        )

    def end_output(self) -> None:
        self._send(common.cMSG_CHANNEL_EOF)

    def close(self) -> None:
        self._send(common.cMSG_CHANNEL_CLOSE)

    def disconnect(self, reason: str) -> None:
        message = paramiko.Message()
        message.add_byte(common.cMSG_DISCONNECT)
        message.add_int(_BY_APPLICATION)
        message.add_string(reason)
        message.add_string("")
        self._send_message(message)
        self._channel.get_transport().close()

    def hold(self) -> None:
        while self._channel.get_transport().is_active():
            if self._closing.wait(0.05):
                raise VisitOver

    def _send(self, kind: bytes, *fields: bytes | int) -> None:
        message = paramiko.Message()
        message.add_byte(kind)
        message.add_int(self._channel.remote_chanid)
        for field in fields:
            if isinstance(field, bytes):
                message.add_string(field)
            elif isinstance(field, bool):
                message.add_boolean(field)
            else:
                message.add_int(field)
        self._send_message(message)

    def _send_message(self, message: paramiko.Message) -> None:
        try:
            self._channel.get_transport()._send_user_message(message)  # noqa: SLF001 (off-script)
        except (OSError, EOFError, paramiko.SSHException):
            raise VisitOver from None
