"""A program whose input and output are the connection: ssh_config's ProxyCommand, without a shell.

It comes from ssh_config alone, never from an inventory: that file is the user's own, and an
inventory is often somebody else's.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from typing import IO

from fleetrun.errors import ConnectError, ConnectionLost
from fleetrun.ssh.config_tokens import expand_home

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\$`])*\"|\\.")
_FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\n]")
_ASSIGNMENT = re.compile(r"\w+=")
_PATIENCE_S = 0.5
_SAID_BYTES = 300


class ProxyCommand:
    """A running program: a `fleetrun.ssh.wire.Link`. Used by one thread.

    Args:
        process: the program; ended by `close`, with all that it has started.
        sock: our end of the socket that is its input and output.
        errors: the file that its standard error goes to.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], sock: socket.socket, errors: IO[bytes]
    ) -> None:
        sock.setblocking(False)
        self._process = process
        self._sock = sock
        self._errors = errors

    def recv(self, size: int) -> bytes:
        """Return what the program has written; at its end `ConnectionLost` with what it said."""
        try:
            data = self._sock.recv(size)
        except ConnectionError:  # it ended without having read all that we sent
            data = b""
        if not data:
            raise ConnectionLost(self._end())
        return data

    def send(self, data: memoryview) -> int:
        """Send what there is room for."""
        return self._sock.send(data)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock.fileno()

    def setblocking(self, blocking: bool) -> None:  # noqa: FBT001 (a socket's)
        """Do nothing: it never blocks."""

    def getpeername(self) -> object:
        """Return what is on the other side."""
        return self._process.args

    def close(self) -> None:
        """End the program and all that it has started; safe to call twice."""
        self._sock.close()
        if self._process.returncode is None:
            _end_group(self._process)
        self._errors.close()

    def _end(self) -> str:
        """Return a sentence on how the program ended, with the end of what it complained of."""
        try:
            status = f"status {self._process.wait(_PATIENCE_S)}"
        except subprocess.TimeoutExpired:
            status = "its output closed"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _SAID_BYTES))
        said = self._errors.read().decode("utf-8", "replace").strip()
        return f"the ProxyCommand ended with {status}" + (f": {said!r}" if said else "")


def start_proxy_command(line: str) -> ProxyCommand:
    """Start the program; raises `ConnectError` when it cannot be, or would need a shell."""
    arguments = split_proxy_command(line)
    ours, theirs = socket.socketpair()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the program runs)
    try:
        process = subprocess.Popen(
            arguments,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=errors,
            start_new_session=True,  # Ctrl-C is ours to handle, and its children end with it
        )
    except OSError as error:
        ours.close()
        errors.close()
        reason = (error.strerror or str(error)).lower()
        raise ConnectError(f"the ProxyCommand {arguments[0]!r} does not start: {reason}") from error
    finally:
        theirs.close()
    return ProxyCommand(process, ours, errors)


def split_proxy_command(line: str) -> list[str]:
    """Return the program and its arguments; raises `ConnectError` when a shell would be needed.

    A leading `exec` is dropped: it asks the shell to leave, and there is none.
    """
    bare = _QUOTED.sub("", line)
    found = _FOR_A_SHELL.search(bare)
    if found is not None:
        raise ConnectError(_needs_a_shell(line, found[0]))
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConnectError(f"the ProxyCommand {line!r} has a quote that is not closed") from error
    if words[:1] == ["exec"]:
        del words[0]
    if not words:
        raise ConnectError("the ProxyCommand is empty")
    if _ASSIGNMENT.match(words[0]):
        raise ConnectError(_needs_a_shell(line, words[0]))
    return [expand_home(words[0]), *words[1:]]


def _needs_a_shell(line: str, what: str) -> str:
    return (
        f"the ProxyCommand {line!r} needs a shell for {what!r}, and fleetrun starts none; "
        "put the command into a script, or use ProxyJump"
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the program's process group to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
            return
