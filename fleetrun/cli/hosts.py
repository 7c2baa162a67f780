"""`fleetrun hosts`: which hosts an inventory and a limit select, and what is known of them."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Mapping

import click

from fleetrun.cli.command import Command
from fleetrun.cli.opening import opened_source, overrides
from fleetrun.cli.options import FleetOptions, Format, fleet_options, format_option
from fleetrun.hosts import Host, Secret
from fleetrun.inventory import Inventory
from fleetrun.output import Writer

_HIDDEN = "***"
_SECRET_NAME = re.compile(r"pass(word|phrase|wd)?$|secret|token|api_?key", re.IGNORECASE)
"""Variables that are not shown, since an inventory holds what other tools need as well."""

_EXAMPLES = """\
fleetrun hosts -i hosts.yaml -l web
fleetrun hosts --format json"""


@click.command("hosts", cls=Command, epilog=_EXAMPLES)
@fleet_options
@format_option
def command(fleet_options: FleetOptions, format: Format) -> int:  # noqa: A002 (the option's name)
    """List the selected hosts, one a line; with --format json, every value and where it came from.

    Passwords are shown as ***.
    """
    with opened_source(fleet_options) as source:
        inventory = Inventory.load(source, overrides=overrides(fleet_options))
        hosts = inventory.select(fleet_options.limit)
    if format is Format.JSON:
        text = json.dumps({"hosts": [_as_json(host) for host in hosts]}, indent=2)
    else:
        text = "\n".join(host.name for host in hosts)
    Writer.of(sys.stdout).write(f"{text}\n".encode())
    return 0


def _as_json(host: Host) -> dict[str, object]:
    """Return every field of the host, by name."""
    values = {field.name: getattr(host, field.name) for field in dataclasses.fields(host)}
    return {name: _without_secrets(value) for name, value in values.items()}


def _without_secrets(value: object) -> object:
    """Return the value as JSON's types, with what is or is named like a secret hidden."""
    if isinstance(value, Secret):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {
            str(name): _HIDDEN if _SECRET_NAME.search(str(name)) else _without_secrets(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without_secrets(inner) for inner in value]
    return value
