"""`fleetrun compare`: the same work on the same hosts in several modes, measured."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence

import click

from fleetrun.cli.compare_options import Configured, Shown, configured, shown
from fleetrun.cli.login_options import (
    BecomeOptions,
    LoginOptions,
    become_options,
    login_options,
)
from fleetrun.cli.notes import note
from fleetrun.cli.opening import opened_hosts
from fleetrun.cli.options import FleetOptions, debug_log_option, fleet_options
from fleetrun.cli.perform import warn_of_unchecked_keys
from fleetrun.cli.signals import Stop
from fleetrun.cli.words import GIVEN, WordsCommand
from fleetrun.compare import (
    Comparison,
    Workload,
    findings,
    flaws,
    prepared,
    this_machine,
    with_speedups,
)
from fleetrun.compare.process_tree import can_look
from fleetrun.hosts import Host
from fleetrun.operations import Exec, Operation
from fleetrun.output import Writer
from fleetrun.output.compare_json import write_compare_json
from fleetrun.output.compare_table import write_compare_table
from fleetrun.output.compare_timeline import height, write_compare_timeline
from fleetrun.output.report import compare_page
from fleetrun.runs import Compared, Machine, Run

_EXAMPLES = """\
fleetrun compare --lab 16 --rtt 50ms "sleep 0.2" --modes all --html report.html
fleetrun compare --lab 16 --workload cpu-local=100ms --modes threads,processes
fleetrun compare -i hosts.yaml -l web "uptime" --forks 1,8,64 --format json"""


@click.command("compare", cls=WordsCommand, epilog=_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@configured
@shown
@fleet_options
@login_options
@become_options
@debug_log_option
@click.pass_context
def command(
    ctx: click.Context,
    words: tuple[str, ...],
    configured: Configured,
    shown: Shown,
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    become_options: BecomeOptions,
    debug_log: str | None,
) -> int:
    """Run COMMAND on the same hosts in several modes, and compare what each run took.

    Every mode works on the same hosts with the same number of them at once, connecting anew each
    time, in interleaved rounds: the figures are the medians of the rounds. Before the first, the
    command is run once on the first host, so that the first mode does not pay alone for what is
    paid once, and once in each mode to look at threads, processes and memory (which needs psutil);
    neither is measured.

    Shown for each mode: wall time and its spread, speed-up over sequential, and efficiency; the
    most hosts at once that were recorded, beside the processor cores that were busy on this side;
    processor time and context switches of fleetrun and its workers; how long a host took, and in
    which phases; at the end, which mode was the fastest and why. A run with a host that was not ok
    cannot be compared, and gets no speed-up; what else is unfair is said.

    The exit code is the largest of the runs', each as that of `fleetrun exec`.
    """
    stop: Stop = ctx.obj
    _check_work(words, configured.workload)
    machine = this_machine(shlex.join(["fleetrun", "compare", *ctx.meta[GIVEN]]))
    with (
        opened_hosts(fleet_options, login_options, debug_log, become_options) as hosts,
        _operation(words, configured.workload, hosts) as operation,
    ):
        warn_of_unchecked_keys(hosts)
        runs = _measured(hosts, operation, configured, stop)
    work = " ".join(words) if configured.workload is None else str(configured.workload)
    if not runs:
        note("it was stopped before anything was measured")
    _show(_compared(runs, machine, work), shown)
    return stop.exit_code or max((run.exit_code for run in runs), default=0)


def _check_work(words: Sequence[str], workload: Workload | None) -> None:
    """Raise `click.UsageError` when nothing is to be done, or two things."""
    if not words and workload is None:
        raise click.UsageError("Missing argument 'COMMAND...', or --workload in its place.")
    if words and workload is not None:
        raise click.UsageError(f"Either the command {' '.join(words)!r} or --workload, not both.")


@contextlib.contextmanager
def _operation(
    words: Sequence[str], workload: Workload | None, hosts: Sequence[Host]
) -> Iterator[Operation | list[Operation]]:
    """Yield what is done on the hosts."""
    if workload is None:
        yield Exec(command=" ".join(words), live=True, output_limit_bytes=0)  # as `exec` does
    else:
        with prepared(workload, hosts) as operation:
            yield operation


def _measured(
    hosts: Sequence[Host],
    operation: Operation | list[Operation],
    configured: Configured,
    stop: Stop,
) -> tuple[Run, ...]:
    if not can_look():
        note("threads, processes and memory are looked at with psutil: fleetrun[report]")
    comparison = Comparison(
        hosts,
        operation,
        modes=configured.modes,
        forks=configured.forks,
        rounds=configured.repeat,
        peaks=can_look(),
    )
    with stop.cancels(comparison.cancel):
        return with_speedups(comparison.runs(tell=note))


def _compared(runs: tuple[Run, ...], machine: Machine, work: str) -> Compared:
    return Compared(
        runs=runs,
        machine=machine,
        work=work,
        flaws=flaws(runs, machine),
        explanation=tuple(finding.sentence for finding in findings(runs, machine)),
    )


def _show(compared: Compared, shown: Shown) -> None:
    out = Writer.of(sys.stdout)
    if shown.form == "json":
        write_compare_json(compared, out)
    else:
        if out.is_terminal:
            out.write(b"\n")  # from the notes on what went on
        write_compare_table(compared, out)
        room = shutil.get_terminal_size()
        fits = out.is_terminal and height(compared.runs) < room.lines
        if compared.runs and (fits if shown.timeline is None else shown.timeline):
            out.write(b"\n")
            write_compare_timeline(compared.runs, out, columns=room.columns)
    if shown.html is not None and compared.runs:
        shown.html.write_text(compare_page(compared), encoding="utf-8")
        note(f"the report is in {shown.html}")
    for sentence in compared.flaws:
        note(sentence)
