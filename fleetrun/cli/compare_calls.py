"""`fleetrun compare calls`: what a way to call does to its caller."""

from __future__ import annotations

import click

from fleetrun.cli.experiment import ShowOptions, show, show_options, with_practice_hosts
from fleetrun.cli.login_options import LoginOptions, login_options
from fleetrun.cli.modes import SPELLINGS, complete_modes
from fleetrun.cli.modes import modes as read_modes
from fleetrun.cli.notes import note
from fleetrun.cli.opening import opened_hosts
from fleetrun.cli.options import FleetOptions, debug_log_option, fleet_options
from fleetrun.cli.perform import warn_of_unchecked_keys
from fleetrun.cli.words import WordsCommand
from fleetrun.compare.calls import measure_calls
from fleetrun.executors import Mode
from fleetrun.output.experiments.calls import draw, write_table

_PRACTICE_HOSTS = 8
_NAPS = "n=${FLEETRUN_LAB_HOST#lab}; sleep 0.$((${n:-4} * 3 % 8 * 5 + 10))"
"""From 0.10 to 0.45 s, another one for each of eight practice hosts; 0.22 s elsewhere."""

_EXAMPLES = """\
fleetrun compare calls
fleetrun compare calls --lab 16 --rtt 50ms --figure calls.svg
fleetrun compare calls -i hosts.yaml -l web "uptime" --modes threads"""


@click.command("calls", cls=WordsCommand, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@click.option(
    "--modes",
    type=read_modes,
    shell_complete=complete_modes,
    default="threads,processes",
    show_default=True,
    metavar="MODE,...",
    help=f"The modes in which each style is tried: {SPELLINGS}.",
)
@click.option(
    "-f",
    "--forks",
    "--fanout",
    "forks",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="N",
    help="How many hosts at once.",
)
@fleet_options
@login_options
@show_options
@debug_log_option
def command(
    words: tuple[str, ...],
    modes: tuple[Mode, ...],
    forks: int,
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    show_options: ShowOptions,
    debug_log: str | None,
) -> int:
    """Call the same fleet in each way that there is, and compare what that does to the caller.

    One host after another, all at once and then waiting, polling at several intervals,
    notification, callbacks and asyncio, each in threads and in processes. Without COMMAND each
    host sleeps, from 0.10 to 0.45 s; without -i, -w or --lab there are 8 practice hosts.

    The caller has work of its own: a tick is due every 5 ms. Shown for each style: wall time; how
    long the caller was held inside calls; the ticks that it could do meanwhile; how often it
    looked, and was woken; the processor time of its thread; how late it knew of a result, the
    median and the most; the most hosts at once.

    The exit code is that of `fleetrun exec`.
    """
    given = with_practice_hosts(fleet_options, _PRACTICE_HOSTS)
    with opened_hosts(given, login_options, debug_log) as hosts:
        warn_of_unchecked_keys(hosts)
        findings = measure_calls(
            hosts, " ".join(words) or _NAPS, modes=modes, forks=forks, tell=note
        )
    show("calls", findings, show_options, write_table=write_table, draw=draw)
    return max(run.exit_code for run in findings.runs)
