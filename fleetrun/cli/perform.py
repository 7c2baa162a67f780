"""One operation on a fleet, seen by its user: events to sinks, a report, an exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from fleetrun.cli.notes import note
from fleetrun.cli.options import Format, OutputOptions
from fleetrun.cli.signals import Stop
from fleetrun.events import Finished
from fleetrun.executors import Plan
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host, HostKeyPolicy
from fleetrun.operations import Get, Operation, Put
from fleetrun.output import JsonDocument, Lines, Sink, Sinks, Summary, Writer
from fleetrun.results import Phase, Report, Result
from fleetrun.ssh.config import SshConfig
from fleetrun.waves import Waves

_NO_PHASES: dict[Phase, float] = {}


def perform(
    fleet: Fleet,
    operation: Operation | Sequence[Operation],
    output: OutputOptions,
    stop: Stop,
    waves: Waves | None = None,
    *,
    max_rc: bool = False,
) -> int:
    """Do it on every host, show what happens, and return the exit code.

    Several operations are one for each host. Without waves, all hosts are one. With max_rc, the
    exit code is the largest exit status of a command.

    A signal, or an output that cannot be written, cancels the run; it still ends with a result
    for each host, and with a summary.
    """
    _say_before(fleet, waves, verbose=output.verbose)
    warn_of_unused_sudo(fleet.hosts, operation)

    def cancel_for(error: OSError) -> None:
        note(f"error: cannot write the output: {error.strerror}")
        fleet.cancel()

    sinks = Sinks(_sinks(output), on_broken=cancel_for)
    with stop.cancels(fleet.cancel):
        keep = _as_it_is if _needs_all(output) else _without_phases
        report = _follow(fleet, operation, waves, sinks, keep)
    sinks.close(report)
    return stop.exit_code or max(report.max_rc if max_rc else report.exit_code, int(sinks.broken))


def _follow(
    fleet: Fleet,
    operation: Operation | Sequence[Operation],
    waves: Waves | None,
    sinks: Sinks,
    keep: Callable[[Result], Result],
) -> Report:
    began_at_s = time.monotonic()
    results: list[Result] = []
    for event in fleet.events(operation, waves=waves):
        sinks.take(event)
        if isinstance(event, Finished):
            results.append(keep(event.result))
    wall_seconds = time.monotonic() - began_at_s
    return Report.of([host.name for host in fleet.hosts], results, wall_seconds=wall_seconds)


def _needs_all(output: OutputOptions) -> bool:
    """Return whether all of a result is shown in the end."""
    return output.verbose or output.format is Format.JSON


def _as_it_is(result: Result) -> Result:
    return result


def _without_phases(result: Result) -> Result:
    """Return what a summary needs: there may be 100,000 of them, and phases are most of each."""
    return replace(result, phase_seconds=_NO_PHASES)


def _sinks(output: OutputOptions) -> Iterator[Sink]:
    out, err = Writer.of(sys.stdout, output.color), Writer.of(sys.stderr, output.color)
    if output.format is Format.JSON:
        yield JsonDocument(out)
    else:
        yield Lines(out=out, err=err, prefixed=not output.no_prefix)
    yield Summary(err, quiet=output.quiet, verbose=output.verbose)


def _say_before(fleet: Fleet, waves: Waves | None, *, verbose: bool) -> None:
    warn_of_unchecked_keys(fleet.hosts)
    warn_of_ssh_config(fleet.hosts)
    if fleet.plan.note is not None:
        note(f"warning: {fleet.plan.note}")
    if verbose:
        note(_how(fleet.plan))
        if waves is not None:
            sizes = ", ".join(map(str, waves.sizes(len(fleet.hosts))))
            note(f"waves of {sizes} hosts")


def warn_of_unchecked_keys(hosts: Sequence[Host]) -> None:
    """Say so when any of the hosts need not prove who it is; wanted before each run."""
    unchecked = sum(host.host_keys is HostKeyPolicy.OFF for host in hosts)
    if unchecked:
        note(
            f"warning: the keys of {unchecked} of {len(hosts)} hosts are not checked; "
            "whoever sits in between can read and change everything"
        )


def warn_of_unused_sudo(hosts: Sequence[Host], operation: Operation | Sequence[Operation]) -> None:
    """Say so when files are copied with other rights than commands would be run with."""
    each = operation if isinstance(operation, Sequence) else [operation]
    become = sum(host.become_user is not None for host in hosts)
    if become and any(isinstance(one, Put | Get) for one in each):
        note(
            f"warning: {become} of {len(hosts)} hosts are set to become another user, which "
            "commands alone do: files are read and written there as the login user"
        )


def warn_of_ssh_config(hosts: Sequence[Host]) -> None:
    """Say what stands in the hosts' ssh_config files and is not done."""
    for path in dict.fromkeys(host.ssh_config for host in hosts):
        for warning in SshConfig.load(path).warnings:
            note(f"warning: {warning}")


def _how(plan: Plan) -> str:
    where = "this process" if not plan.workers else f"each of {plan.workers} worker processes"
    why = "" if plan.why is None else f" (chosen by auto: {plan.why})"
    carriers = plan.carrier if plan.width > 1 else plan.carrier.removesuffix("s")
    return f"mode {plan.mode}: {plan.width} {carriers} in {where}{why}"
