"""`fleetrun compare`: one command on the same hosts in several modes, measured."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click

from fleetrun.cli.login_options import (
    BecomeOptions,
    LoginOptions,
    become_options,
    login_options,
)
from fleetrun.cli.modes import ALL, complete_modes
from fleetrun.cli.modes import modes as read_modes
from fleetrun.cli.notes import note
from fleetrun.cli.opening import opened_hosts
from fleetrun.cli.options import FleetOptions, debug_log_option, fleet_options, forks_option
from fleetrun.cli.perform import warn_of_unchecked_keys
from fleetrun.cli.signals import Stop
from fleetrun.cli.words import WordsCommand
from fleetrun.compare import Comparison, with_speedups
from fleetrun.executors import Mode
from fleetrun.operations import Exec
from fleetrun.output import Writer
from fleetrun.output.compare_json import write_compare_json
from fleetrun.output.compare_table import write_compare_table
from fleetrun.runs import Run

_WRITE = {"table": write_compare_table, "json": write_compare_json}

_EXAMPLES = """\
fleetrun compare --lab 16 --rtt 50ms "sleep 0.2" --modes sequential,threads
fleetrun compare -i hosts.yaml -l web "uptime" --forks 8 --format json"""


@click.command("compare", cls=WordsCommand, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...")
@click.option(
    "--modes",
    type=read_modes,
    shell_complete=complete_modes,
    default=ALL,
    show_default=True,
    metavar="MODE,...",
    help=f"The modes, in the order in which they are measured: {', '.join(Mode)}.",
)
@forks_option
@fleet_options
@login_options
@become_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_WRITE)),
    default="table",
    show_default=True,
    help="A table, or one JSON document.",
)
@debug_log_option
@click.pass_obj
def command(
    stop: Stop,
    words: tuple[str, ...],
    modes: tuple[Mode, ...],
    forks: int | None,
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    become_options: BecomeOptions,
    form: str,
    debug_log: str | None,
) -> int:
    """Run COMMAND on the same hosts in several modes, and compare what each run took.

    The command is run once in each mode, and once more before that, not measured, on the first
    host, so that the first mode does not pay alone for what is paid once.

    Shown for each mode: how many hosts at once it was allowed (forks) and its worker processes;
    wall time; speed-up over sequential, if that was among the modes; the processor time of
    fleetrun and its workers, on this side only; the most hosts at once that were recorded; how
    many hosts were ok. A run with a host that was not ok cannot be compared, and gets no speed-up.

    The exit code is the largest of the runs', each as that of `fleetrun exec`.
    """
    operation = Exec(command=" ".join(words), live=True, output_limit_bytes=0)  # as `exec` does
    with opened_hosts(fleet_options, login_options, debug_log, become_options) as hosts:
        warn_of_unchecked_keys(hosts)
        comparison = Comparison(hosts, operation, modes=modes, forks=forks)
        with stop.cancels(comparison.cancel):
            runs = with_speedups(tuple(comparison.runs(tell=note)))
    _WRITE[form](runs, Writer.of(sys.stdout))
    for sentence in _flaws(runs):
        note(sentence)
    return stop.exit_code or max((run.exit_code for run in runs), default=0)


def _flaws(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if not run.comparable:
            yield (
                f"{run.mode} is not comparable: {run.not_ok} of {run.ok + run.not_ok} hosts "
                f"not ok, first {run.problem}"
            )
