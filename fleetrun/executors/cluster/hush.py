"""Dask's log, which goes to the standard error of whoever imports it, unless told otherwise."""

from __future__ import annotations

import logging
import sys

_LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")
_NOBODY = logging.NullHandler()


def import_quietly() -> bool:
    """Import Dask; when nobody has before, without its log on the standard error.

    Handlers that others add, as for a debug log, get it all the same, and as much of it as they
    have asked for. Returns whether that is how it is, be it since an earlier call.
    """
    if "distributed" in sys.modules:
        return _NOBODY in logging.getLogger(_LOGGERS[0]).handlers
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, [*logger.handlers]) for logger in loggers]
    import distributed  # noqa: F401, PLC0415 (it sets up its log when it is imported)

    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = [*handlers, _NOBODY]
        logger.propagate = "." in logger.name  # to the first of its family, and no further
    return True
