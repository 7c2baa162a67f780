"""`fleetrun put`: local files to every host."""

from __future__ import annotations

from pathlib import Path

import click

from fleetrun.cli.command import Command
from fleetrun.cli.login_options import LoginOptions, login_options
from fleetrun.cli.opening import opened_fleet
from fleetrun.cli.options import (
    FleetOptions,
    OutputOptions,
    RunOptions,
    fleet_options,
    output_options,
    run_options,
)
from fleetrun.cli.perform import perform
from fleetrun.cli.signals import Stop
from fleetrun.operations import Put

_EXAMPLES = """\
fleetrun put -l web nginx.conf /etc/nginx/
fleetrun put motd"""


@click.command("put", cls=Command, epilog=_EXAMPLES)
@click.argument("local", nargs=-1, required=True, metavar="LOCAL... [REMOTE]")
@fleet_options
@login_options
@run_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    local: tuple[str, ...],
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    run_options: RunOptions,
    output_options: OutputOptions,
) -> int:
    """Copy LOCAL files to REMOTE on every host.

    REMOTE is a folder when it ends in /, when it is one on the host, or when there are several
    files. A single LOCAL without REMOTE goes to the login folder. A file appears whole or not at
    all: it is written under another name, checked, and renamed. Permission bits are kept.
    """
    *sources, target = local if len(local) > 1 else (*local, "")
    operation = Put(sources=tuple(map(Path, sources)), target=target)
    with opened_fleet(fleet_options, login_options, run_options) as fleet:
        return perform(fleet, operation, output_options, stop)
