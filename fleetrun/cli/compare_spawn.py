"""`fleetrun compare spawn`: what a worker costs on this machine."""

from __future__ import annotations

import click

from fleetrun.cli.command import Command
from fleetrun.cli.experiment import ShowOptions, show, show_options
from fleetrun.cli.notes import note
from fleetrun.compare.spawn import measure_workers
from fleetrun.output.experiments.spawn import draw, write_table

_EXAMPLES = """\
fleetrun compare spawn
fleetrun compare spawn --repeat 30 --figure spawn.svg"""


@click.command("spawn", cls=Command, epilog=_EXAMPLES)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Processes of each kind to make and end; threads and greenlets 20 times as many.",
)
@show_options
def command(repeat: int, show_options: ShowOptions) -> int:
    """Make and end workers of each kind on this machine, and compare what they cost.

    A thread, a greenlet, and a process by fork, fork server and spawn: each in an empty program,
    and in one that has paramiko imported. Shown: the median time to make one and to end it; the
    memory that each adds, pages that are shared being divided among those who share them, and as
    resident size; the time to hand a small job over and get the answer back.
    """
    findings = measure_workers(repeat=repeat, tell=note)
    show("spawn", findings, show_options, write_table=write_table, draw=draw)
    return 0
