"""The process of the servers as its parent sees it: started, ready, ended. Beside the road."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO

from fleetrun.errors import FleetrunError
from fleetrun.lab.folder import LabFolder

_READY_WITHIN_S = 60.0
"""256 hosts take less than a second on an idle machine; this is for a machine that is not."""

_END_WITHIN_S = 10.0
_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A host that listens: its port, and its public key as one line in OpenSSH's format."""

    port: int
    host_key: str


class Child:
    """The servers' process, which ends when `stop` is called or when the calling process is gone.

    Started when it is made; raises `OSError` when it cannot be. Use from one thread; close with
    `stop`.
    """

    def __init__(self, at: LabFolder, *, hosts: int, rtt_s: float) -> None:
        self._log = at.log.open("w+b")
        # -P: a file in the current folder must not stand in for a module.
        program = [sys.executable, "-P", "-m", "fleetrun.lab.serve"]
        try:
            self._process = subprocess.Popen(
                [*program, at.path, str(hosts), str(rtt_s)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the lab
            )
        except OSError:
            self._log.close()
            raise

    def await_ready(self) -> tuple[Listening, ...]:
        """Return the hosts in order, once all of them listen. Call it once.

        Raises `FleetrunError` when they do not within a minute, or the process ends before.
        """
        said = json.loads(self._read_line(within_s=_READY_WITHIN_S) or "{}")
        if "hosts" not in said:
            reason = said.get("error") or self._last_words(self._process.wait())
            raise FleetrunError(f"the lab did not start: {reason}")
        return tuple(Listening(**host) for host in said["hosts"])

    def wait(self) -> None:
        """Return when the process has ended; raises `FleetrunError` when it has failed."""
        status = self._process.wait()
        if status != 0:
            raise FleetrunError(f"the lab has failed: {self._last_words(status)}")

    def stop(self) -> None:
        """End the process and all commands that run in the lab."""
        self._process.terminate()
        try:
            self._process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdin).close()
        _pipe(self._process.stdout).close()
        self._log.close()

    def _read_line(self, *, within_s: float) -> bytes:
        """Return the first line; nothing when the process ends before it has said one."""
        stdout = _pipe(self._process.stdout)
        until = time.monotonic() + within_s
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise FleetrunError(f"the lab did not start within {within_s:g} seconds")
                piece = os.read(stdout.fileno(), _PIECE_BYTES)
                if not piece:
                    return b""
                line += piece
        return line

    def _last_words(self, status: int) -> str:
        """Return the last line of the log, or how the process ended when there is none."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return said[-1] if said else f"its process ended with status {status}"


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a stream that was asked for, so that it is there."""
    assert stream is not None  # noqa: S101 (for the type checker)
    return stream
