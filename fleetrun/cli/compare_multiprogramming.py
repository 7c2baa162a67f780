"""`fleetrun compare multiprogramming`: more tasks than processors."""

from __future__ import annotations

import click

from fleetrun.cli.command import Command
from fleetrun.cli.duration import timeout
from fleetrun.cli.experiment import ShowOptions, show, show_options
from fleetrun.cli.notes import note
from fleetrun.compare.multiprogramming import Tasks, measure_tasks
from fleetrun.output.experiments.multiprogramming import draw, write_table

_EXAMPLES = """\
fleetrun compare multiprogramming
fleetrun compare multiprogramming --tasks 12 --wait 80ms --figure tasks.svg"""


@click.command("multiprogramming", cls=Command, epilog=_EXAMPLES)
@click.option(
    "--tasks",
    "count",
    type=click.IntRange(min=1, max=64),
    default=6,
    show_default=True,
    metavar="N",
    help="How many tasks.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="How often each of them waits and computes.",
)
@click.option(
    "--wait",
    "wait_s",
    type=timeout,
    default="40ms",
    show_default=True,
    metavar="TIME",
    help="How long it waits each time.",
)
@click.option(
    "--compute",
    "compute_s",
    type=timeout,
    default="20ms",
    show_default=True,
    metavar="TIME",
    help="How long it computes each time, with a processor to itself.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Runs in each way, of which the quickest is shown.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="N",
    help="How often each of four workers adds one to a counter.",
)
@show_options
def command(
    count: int,
    rounds: int,
    wait_s: float,
    compute_s: float,
    repeat: int,
    steps: int,
    show_options: ShowOptions,
) -> int:
    """Run tasks that alternate waiting and computing on one to all processors of this machine.

    One by one; as processes on 1, 2, 4 … and all processors; as threads on one and on all. Shown
    for each run: wall time; the most tasks that waited at once; how many processors worked, on the
    average; how often a task gave its processor up at a wait, was pushed off it, and went on on
    another one; and a timeline with a line for each task.

    Then four workers add to a counter: in the memory that threads share, in the separate memories
    of processes, and in memory that processes share, with and without a lock.
    """
    tasks = Tasks(count=count, rounds=rounds, wait_s=wait_s, compute_s=compute_s)
    findings = measure_tasks(tasks, repeat=repeat, steps=steps, tell=note)
    show("multiprogramming", findings, show_options, write_table=write_table, draw=draw)
    return 0
