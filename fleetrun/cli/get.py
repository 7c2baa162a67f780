"""`fleetrun get`: files from every host."""

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
from fleetrun.operations import Get

_EXAMPLES = """\
fleetrun get /var/log/syslog logs/
fleetrun get -l web .profile /etc/hosts fetched"""


@click.command("get", cls=Command, epilog=_EXAMPLES)
@click.argument("remote", nargs=-1, required=True, metavar="REMOTE...")
@click.argument("dest", type=click.Path(path_type=Path))
@fleet_options
@login_options
@run_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    remote: tuple[str, ...],
    dest: Path,
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    run_options: RunOptions,
    output_options: OutputOptions,
) -> int:
    """Copy REMOTE files of every host to DEST/HOST/path on this machine.

    /etc/hosts of web1 becomes DEST/web1/etc/hosts. A file appears whole or not at all.
    """
    operation = Get(sources=remote, target=dest)
    with opened_fleet(fleet_options, login_options, run_options) as fleet:
        return perform(fleet, operation, output_options, stop)
