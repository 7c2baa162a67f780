"""Ctrl-C and SIGTERM: the first ends the run in order, the second ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self

from fleetrun.cli.notes import note

_STOPPING = (signal.SIGINT, signal.SIGTERM)
_EXIT_CODE_BASE = 128
"""What shells add to the number of the signal that ended a process."""


class Stop:
    """The stop button of the whole process, while it is entered. Used by the main thread alone.

    The first signal calls what `cancels` was given, so that the hosts that are done keep their
    results; where there is nothing to cancel, it raises `KeyboardInterrupt`.
    """

    def __init__(self) -> None:
        self._signal: signal.Signals | None = None
        self._cancel: Callable[[], None] | None = None
        self._restore = contextlib.ExitStack()

    def __enter__(self) -> Self:
        for signum in _STOPPING:
            before = signal.getsignal(signum)
            if before != signal.SIG_IGN:  # a job in the background is not meant to see Ctrl-C
                signal.signal(signum, self._on_signal)
                self._restore.callback(signal.signal, signum, before)
        return self

    def __exit__(self, *exc: object) -> None:
        self._restore.close()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, 0 when neither came."""
        return 0 if self._signal is None else _EXIT_CODE_BASE + self._signal

    @contextlib.contextmanager
    def cancels(self, cancel: Callable[[], None]) -> Iterator[None]:
        """While it is entered, the first signal calls `cancel`, from within the signal handler."""
        self._cancel = cancel
        try:
            yield
        finally:
            self._cancel = None

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._signal is not None:
            os._exit(self.exit_code)
        self._signal = signal.Signals(signum)
        if self._cancel is None:
            raise KeyboardInterrupt
        note("stopping: what runs is ended, and no other host is begun; once more leaves at once")
        self._cancel()
