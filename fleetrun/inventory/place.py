"""Where something was written: what every error and every value of an inventory points to."""

from __future__ import annotations

from typing import NamedTuple

from fleetrun.errors import InventoryError


class Place(NamedTuple):
    """A file, option or list, and the line in it; None where there are no lines.

    Printed as `hosts.yaml:12` or `--user`. A named tuple since there is one for each setting of
    each host.
    """

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"

    def error(self, message: str) -> InventoryError:
        """Return the error that something is wrong here, to be raised."""
        return InventoryError(message, source=self.source, line=self.line)
