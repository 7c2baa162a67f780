"""What the shell offers for `--limit`: the hosts and groups of the inventory."""

from __future__ import annotations

import click

from fleetrun.cli.source import named_source
from fleetrun.errors import FleetrunError
from fleetrun.inventory import Inventory


def complete_limit(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Return the names that begin so; nothing when the inventory cannot be loaded.

    A line that is being completed is no place for an error message.
    """
    try:
        inventory = Inventory.load(named_source(ctx.params.get("inventory")))
    except (FleetrunError, OSError):
        return []
    names = [*inventory.groups, *(host.name for host in inventory.hosts)]
    return [name for name in names if name.startswith(incomplete)]
