"""How the command line spells a part of the hosts: `5` or `25%`."""

from __future__ import annotations

import click

from fleetrun.errors import UsageError
from fleetrun.share import Share


def share(text: str) -> Share:
    """Return the part; raises `click.BadParameter`."""
    try:
        return Share.of(text)
    except UsageError as error:
        raise click.BadParameter(f"{error}.") from error
