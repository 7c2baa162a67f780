"""`fleetrun exec`: a command on every host."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetrun.cli.duration import timeout
from fleetrun.cli.login_options import (
    BecomeOptions,
    LoginOptions,
    become_options,
    login_options,
)
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
    template_option,
)
from fleetrun.cli.perform import perform
from fleetrun.cli.signals import Stop
from fleetrun.cli.wave_options import WaveOptions, wave_options
from fleetrun.cli.words import WordsCommand
from fleetrun.operations import DEFAULT_OUTPUT_LIMIT_BYTES, Exec, exec_for_each

_EXAMPLES = """\
fleetrun exec -i hosts.yaml "uptime" --mode threads
fleetrun exec -l web "systemctl is-active nginx"
fleetrun exec -l web -- ls -l /srv
fleetrun exec -l web --template "echo {host} is {index} of {count}"
fleetrun exec -l web --canary 1 --batch 25% --health "curl -sf localhost/up" "systemctl restart app"
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
@become_options
@end_options
@template_option
@click.option(
    "--env-host",
    is_flag=True,
    help="Set FLEETRUN_HOST, FLEETRUN_INDEX and FLEETRUN_COUNT for the command.",
)
@click.option(
    "--max-rc", is_flag=True, help="Exit with the largest exit status that a command ended with."
)
@run_options
@wave_options
@output_options
@click.pass_obj
def command(
    stop: Stop,
    words: tuple[str, ...],
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    become_options: BecomeOptions,
    end_options: EndOptions,
    run_options: RunOptions,
    wave_options: WaveOptions,
    output_options: OutputOptions,
    *,
    template: bool,
    env_host: bool,
    max_rc: bool,
) -> int:
    """Run COMMAND on every host, in the login shell of its user.

    Several words are joined by spaces, as ssh does; quote the command to keep your own shell and
    fleetrun away from it. Options may stand before the command or after it, but not among its
    words; everything after -- is the command's.

    With --template, {host}, {index} (from 0), {count} and {vars.NAME} stand for each host's values,
    quoted for its shell; write them outside of quotes, and {vars.NAME:raw} for a value as it is.

    The exit code is 0 when every host is ok; 4 when one was unreachable or lost, else 1 when one
    failed; 2 for a mistake in the call or the inventory; 130 after Ctrl-C. With --max-rc, a command
    that failed counts with its own exit status instead.
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
    waves = wave_options.waves()
    with opened_fleet(fleet_options, login_options, run_options, become_options) as fleet:
        each: Exec | tuple[Exec, ...] = operation
        if template or env_host:
            each = exec_for_each(operation, fleet.hosts, template=template, env_host=env_host)
        return perform(fleet, each, output_options, stop, waves, max_rc=max_rc)
