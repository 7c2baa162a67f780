"""`fleetrun exec`: a command on every host."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetrun.cli.duration import timeout
from fleetrun.cli.login_options import LoginOptions, login_options
from fleetrun.cli.opening import opened_fleet
from fleetrun.cli.options import (
    FleetOptions,
    Format,
    OutputOptions,
    RunOptions,
    fleet_options,
    gathered,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOptions:
    """What becomes of a command that does not end by itself."""

    pty: bool
    remote_timeout_s: float | None
    confirm_kill: bool


end_options = gathered(
    "end_options",
    EndOptions,
    click.option(
        "--pty", is_flag=True, help="Give it a terminal, so that it ends with the connection."
    ),
    click.option(
        "--remote-timeout",
        "remote_timeout_s",
        type=timeout,
        metavar="TIME",
        help="Let the host's own `timeout` end it after TIME.",
    ),
    click.option(
        "--confirm-kill",
        is_flag=True,
        help="When it has to be ended from here, look whether its processes are gone.",
    ),
)


@click.command("exec", cls=WordsCommand, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...")
@fleet_options
@login_options
@end_options
@run_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    words: tuple[str, ...],
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    end_options: EndOptions,
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
        pty=end_options.pty,
        remote_timeout_s=end_options.remote_timeout_s,
        confirm_kill=end_options.confirm_kill,
    )
    with opened_fleet(fleet_options, login_options, run_options) as fleet:
        return perform(fleet, operation, output_options, stop)
