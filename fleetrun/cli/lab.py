"""`fleetrun lab`: a practice fleet on this machine, for as long as the command runs."""

from __future__ import annotations

import contextlib
import shlex
import sys

import click

from fleetrun.cli.command import Command
from fleetrun.cli.duration import delay
from fleetrun.cli.notes import note
from fleetrun.lab import Lab
from fleetrun.output import Writer

_EXAMPLES = "fleetrun lab up --hosts 8 --rtt 50ms"


@click.group("lab", no_args_is_help=False)
def command() -> None:
    """Practice hosts: SSH servers on this machine, which nobody else can log in to."""


@command.command("up", cls=Command, epilog=_EXAMPLES)
@click.option(
    "--hosts", type=click.IntRange(min=1), default=8, show_default=True, help="How many hosts."
)
@click.option(
    "--rtt",
    "rtt_s",
    type=delay,
    default="0",
    metavar="TIME",
    help="Round trip to them, such as 50ms.",
)
def up(hosts: int, rtt_s: float) -> int:
    """Start the hosts, print the path of their inventory, and wait for Ctrl-C.

    Then everything is taken away: servers, keys, inventory, scratch folders.
    """
    with Lab(hosts, rtt_s=rtt_s) as lab, contextlib.suppress(KeyboardInterrupt):
        path = shlex.quote(str(lab.inventory))
        Writer.of(sys.stdout).write(f"{path}\n".encode())
        note(f"{hosts} hosts are up; Ctrl-C ends them. In another terminal:")
        note(f'  fleetrun exec -i {path} "uptime" --mode threads')
        lab.wait()
    return 0
