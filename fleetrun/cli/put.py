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
    template_option,
)
from fleetrun.cli.perform import perform
from fleetrun.cli.signals import Stop
from fleetrun.cli.wave_options import WaveOptions, wave_options
from fleetrun.operations import Put, put_for_each

_EXAMPLES = """\
fleetrun put -l web nginx.conf /etc/nginx/
fleetrun put --template certs/{host}.pem /etc/ssl/
fleetrun put motd"""


@click.command("put", cls=Command, epilog=_EXAMPLES)
@click.argument("local", nargs=-1, required=True, type=click.Path(), metavar="LOCAL... [REMOTE]")
@fleet_options
@login_options
@template_option
@run_options
@wave_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    local: tuple[str, ...],
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    run_options: RunOptions,
    wave_options: WaveOptions,
    output_options: OutputOptions,
    *,
    template: bool,
) -> int:
    """Copy LOCAL files to REMOTE on every host.

    REMOTE is a folder when it ends in /, when it is one on the host, or when there are several
    files. A single LOCAL without REMOTE goes to the login folder. A file appears whole or not at
    all: it is written under another name, checked, and renamed. Permission bits are kept.

    With --template, {host}, {index} (from 0), {count} and {vars.NAME} in LOCAL and REMOTE stand for
    each host's values.
    """
    *sources, target = local if len(local) > 1 else (*local, "")
    operation = None if template else Put(sources=tuple(map(Path, sources)), target=target)
    waves = wave_options.waves()
    with opened_fleet(fleet_options, login_options, run_options) as fleet:
        each = operation or put_for_each(sources, target, fleet.hosts)
        return perform(fleet, each, output_options, stop, waves)
