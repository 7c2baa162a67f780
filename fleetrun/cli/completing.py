"""What the shell offers for patterns: the hosts and groups of the inventory."""

from __future__ import annotations

import click

from fleetrun.cli.source import named_sources
from fleetrun.errors import FleetrunError
from fleetrun.inventory import Inventory

_STANDARD_INPUT = "-"


def complete_hosts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Return the names that begin so; nothing when the inventory cannot be loaded.

    A line that is being completed is no place for an error message, and nothing is read from the
    terminal meanwhile.
    """
    try:
        sources, _ = named_sources(ctx.params.get("inventory") or ())
        if _STANDARD_INPUT in sources:
            return []
        inventory = Inventory.load(sources)
    except (FleetrunError, OSError):
        return []
    return [name for name in (*inventory.groups, *inventory.names) if name.startswith(incomplete)]
