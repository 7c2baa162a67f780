"""`fleetrun exec`: a command on every host."""

from __future__ import annotations

import click

from fleetrun.cli.opening import opened_fleet
from fleetrun.cli.options import (
    FleetOptions,
    Format,
    OutputOptions,
    RunOptions,
    fleet_options,
    output_options,
    run_options,
)
from fleetrun.cli.perform import perform
from fleetrun.cli.signals import Stop
from fleetrun.cli.words import WordsCommand
from fleetrun.operations import DEFAULT_OUTPUT_LIMIT_BYTES, Exec

_EXAMPLES = """\
fleetrun exec -i hosts.yaml "uptime" --mode threads
fleetrun exec -l web "systemctl is-active nginx"
fleetrun exec -l web -- ls -l /srv
fleetrun exec --lab 8 --rtt 50ms "hostname; uptime" --format json"""


@click.command("exec", cls=WordsCommand, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...")
@fleet_options
@run_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    words: tuple[str, ...],
    fleet_options: FleetOptions,
    run_options: RunOptions,
    output_options: OutputOptions,
) -> int:
    """Run COMMAND on every host, in the login shell of its user.

    Several words are joined by spaces, as ssh does; quote the command to keep your own shell and
    fleetrun away from it. Options may stand before the command or after it, but not among its
    words; everything after -- is the command's.

    The exit code is 0 when every host is ok; 4 when one was unreachable or lost, else 1 when one
    failed; 2 for a mistake in the call or the inventory; 130 after Ctrl-C.
    """
    live = output_options.format is Format.LINES
    operation = Exec(
        command=" ".join(words),
        live=live,
        output_limit_bytes=0 if live else DEFAULT_OUTPUT_LIMIT_BYTES,
    )
    with opened_fleet(fleet_options, run_options) as fleet:
        return perform(fleet, operation, output_options, stop)
