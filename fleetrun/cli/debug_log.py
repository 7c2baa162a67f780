"""The file of `--debug-log`. Nothing that is logged ever reaches the terminal."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from fleetrun.errors import UsageError

_LEVELS = {"fleetrun": logging.DEBUG, "paramiko": logging.DEBUG, "distributed": logging.INFO}
"""From which level on each is logged. Below its own, Dask logs whole messages, so also secrets."""

_FORMAT = "%(asctime)s %(process)d %(threadName)s %(name)s %(levelname)s: %(message)s"


@contextlib.contextmanager
def debug_log(path: str | None) -> Iterator[None]:
    """While it is entered, append what fleetrun, paramiko and Dask log to the file, for you alone.

    With None, do nothing: they log to nowhere by themselves. Raises `UsageError` when the file
    cannot be written.
    """
    if path is None:
        yield
        return
    with contextlib.closing(_file_handler(path)) as handler, contextlib.ExitStack() as restore:
        for name, level in _LEVELS.items():
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            restore.callback(logger.removeHandler, handler)
            restore.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        yield


def _file_handler(path: str) -> logging.Handler:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        Path(path).chmod(0o600)  # it may have been there before
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"--debug-log {path}: {error.strerror}") from error
    handler.setFormatter(logging.Formatter(_FORMAT))
    return handler
