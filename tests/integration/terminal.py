"""A program at a terminal of its own, and somebody who reads the screen and types."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE_S = 60.0
_PAUSE_S = 2.0
_TAKE_IT = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal the controlling one, so that `/dev/tty` is it and Ctrl-C gets through."""


class Terminal:
    """Runs a command whose input, errors and (unless it goes to a file) output are one terminal.

    Attributes:
        shown: all that has been on the screen so far.
        pid: the command's process.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        stdout: Path | None = None,
    ) -> None:
        self._command = [str(word) for word in command]
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._stdout = stdout
        self.shown = b""

    def __enter__(self) -> Self:
        self._screen, inner = os.openpty()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, inner)
            out = inner if self._stdout is None else stack.enter_context(self._stdout.open("wb"))
            self._process = subprocess.Popen(
                [sys.executable, "-c", _TAKE_IT, *self._command],
                stdin=inner,
                stdout=out,
                stderr=inner,
                cwd=self._folder,
                env=self._environment,
            )
        self.pid = self._process.pid
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._screen)

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown just now."""
        return bool(termios.tcgetattr(self._screen)[3] & termios.ECHO)

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Read the screen until the words have been on it so many times."""
        while self.shown.count(words.encode()) < times:
            assert self._read(), f"never said {words!r}: {self.shown.decode(errors='replace')}"

    def type(self, text: str) -> None:
        r"""Type the text; a line ends in `\n`, Ctrl-C is `\x03`."""
        os.write(self._screen, text.encode())

    def signal(self, signum: signal.Signals) -> None:
        """Send the command a signal."""
        self._process.send_signal(signum)

    def wait(self) -> int:
        """Read on until the command has ended; return its exit code."""
        while self._read():
            pass
        return self._process.wait(_PATIENCE_S)

    def wait_for_end_by(self, stop: Callable[[], None]) -> int:
        """Do what ends the command; return its exit code.

        Done again every now and then: Python sees a signal that comes in the moment before it
        waits for a key only with the next one.
        """
        while self._process.poll() is None:
            stop()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PAUSE_S)
        return self.wait()

    def _read(self) -> bool:
        """Read what comes next; False when nothing more will."""
        until = time.monotonic() + _PATIENCE_S
        while not select.select([self._screen], [], [], 0.05)[0]:
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < until, f"silent: {self.shown.decode(errors='replace')}"
        try:
            piece = os.read(self._screen, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            return False
        self.shown += piece
        return bool(piece)
