"""Dask's log, which goes to the standard error of whoever imports it, unless told otherwise."""

from __future__ import annotations

import logging
import sys

_LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")
_NOBODY = logging.NullHandler()


def import_quietly() -> bool:
    """Import Dask; when nobody has before, without its log on the standard error.

    Handlers that others add, as for a debug log, get it all the same. Returns whether that is how
    it is, be it since an earlier call.
    """
    if "distributed" in sys.modules:
        return _NOBODY in logging.getLogger(_LOGGERS[0]).handlers
    before = {name: [*logging.getLogger(name).handlers] for name in _LOGGERS}
    import distributed  # noqa: F401, PLC0415 (it sets up its log when it is imported)

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [*before[name], _NOBODY]
        logger.propagate = False
    return True
