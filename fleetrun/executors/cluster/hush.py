"""Dask's log, which goes to the standard error of whoever imports it, unless told otherwise."""

from __future__ import annotations

import logging
import sys

_LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")


def import_quietly() -> None:
    """Import Dask; when nobody has before, without its log on the standard error.

    Handlers that others add, as for a debug log, get it all the same.
    """
    if "distributed" in sys.modules:
        return
    before = {name: [*logging.getLogger(name).handlers] for name in _LOGGERS}
    import distributed  # noqa: F401, PLC0415 (it sets up its log when it is imported)

    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [*before[name], logging.NullHandler()]
        logger.propagate = False
