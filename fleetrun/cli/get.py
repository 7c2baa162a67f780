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
    template_option,
)
from fleetrun.cli.perform import perform
from fleetrun.cli.signals import Stop
from fleetrun.operations import Get, get_for_each

_EXAMPLES = """\
fleetrun get /var/log/syslog logs/
fleetrun get -l web .profile /etc/hosts fetched"""


@click.command("get", cls=Command, epilog=_EXAMPLES)
@click.argument("remote", nargs=-1, required=True, metavar="REMOTE...")
@click.argument("dest", type=click.Path(path_type=Path))
@fleet_options
@login_options
@template_option
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
    *,
    template: bool,
) -> int:
    """Copy REMOTE files of every host to DEST/HOST/path on this machine.

    /etc/hosts of web1 becomes DEST/web1/etc/hosts. A file appears whole or not at all.

    With --template, {host}, {index} (from 0), {count} and {vars.NAME} in REMOTE stand for each
    host's values.
    """
    operation = None if template else Get(sources=remote, target=dest)
    with opened_fleet(fleet_options, login_options, run_options) as fleet:
        each = operation or get_for_each(remote, dest, fleet.hosts)
        return perform(fleet, each, output_options, stop)
