"""`fleetrun keys`: which keys the hosts show, and taking them into known_hosts."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence

import click

from fleetrun.cli.asking import agreed
from fleetrun.cli.command import Command
from fleetrun.cli.notes import note
from fleetrun.cli.opening import scanning_fleet
from fleetrun.cli.options import (
    FleetOptions,
    Format,
    RunOptions,
    format_option,
    meeting_options,
    run_options,
)
from fleetrun.cli.signals import Stop
from fleetrun.errors import HostKeyError, UsageError
from fleetrun.fleet import Fleet
from fleetrun.keyscan import KeyScan, ScannedHost, scan_keys, write_keys
from fleetrun.output import Summary, Writer
from fleetrun.output.color import Color
from fleetrun.output.keys_table import KeyRow, write_keys_json, write_keys_table

_SCAN_EXAMPLES = """\
fleetrun keys scan -l web
fleetrun keys scan --format json"""

_APPROVE_EXAMPLES = """\
fleetrun keys approve -l web
fleetrun keys approve --replace web3"""


@click.group("keys")
def command() -> None:
    """Collect host keys, and approve the new ones."""


@command.command("scan", cls=Command, epilog=_SCAN_EXAMPLES)
@meeting_options
@run_options
@format_option
@click.pass_obj
def scan(
    stop: Stop,
    fleet_options: FleetOptions,
    run_options: RunOptions,
    format: Format,  # noqa: A002 (the option's name)
) -> int:
    """Show the keys of the selected hosts: known, new, CHANGED or REVOKED. Nothing is written.

    Every type that a host offers is asked for; nobody logs in. The exit code is 1 when a key has
    changed or is revoked, and 4 when a host could not be reached.
    """
    with scanning_fleet(fleet_options, run_options) as fleet:
        found = _scanned(fleet, stop)
    out = Writer.of(sys.stdout)
    if format is Format.JSON:
        write_keys_json(_rows(found), found.report, out)
    else:
        write_keys_table(_rows(found), out)
    return _ended(found, stop, found.refused())


@command.command("approve", cls=Command, epilog=_APPROVE_EXAMPLES)
@meeting_options
@run_options
@click.option(
    "--replace",
    multiple=True,
    metavar="HOST",
    help="Put the keys that HOST shows now in the place of those known of it.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def approve(
    stop: Stop,
    fleet_options: FleetOptions,
    run_options: RunOptions,
    replace: tuple[str, ...],
    *,
    yes: bool,
) -> int:
    """Write the new keys of the selected hosts to known_hosts, after one question.

    Compare the fingerprints first, over a way that you trust. A key that has CHANGED is written
    for hosts named with --replace alone, and a REVOKED one never.

    The exit code is 1 when a key was not written that should have been, because you said no or for
    another reason, and 4 when a host could not be reached.
    """
    with scanning_fleet(fleet_options, run_options) as fleet:
        _check_names(replace, fleet)
        found = _scanned(fleet, stop)
    wanted = found.to_write(replace)
    write_keys_table(_rows(found), Writer.of(sys.stdout))
    left = () if stop.exit_code else _approved(wanted, replace, ask=not yes)
    return _ended(found, stop, (*found.refused(replace), *left))


def _scanned(fleet: Fleet, stop: Stop) -> KeyScan:
    if fleet.plan.note is not None:
        note(f"warning: {fleet.plan.note}")
    with stop.cancels(fleet.cancel):
        return scan_keys(fleet)


def _rows(found: KeyScan) -> list[KeyRow]:
    return [
        KeyRow(
            host=scanned.host.name,
            standing=shown.verdict.standing,
            key_type=shown.key.key_type,
            fingerprint=shown.key.fingerprint,
            place=None if shown.verdict.entry is None else shown.verdict.entry.place,
        )
        for scanned in found.hosts
        for shown in scanned.keys
    ]


def _check_names(replace: Sequence[str], fleet: Fleet) -> None:
    names = {host.name for host in fleet.hosts}
    for name in replace:
        if name not in names:
            raise UsageError(f"--replace {name}: no such host is selected")


def _approved(
    wanted: Sequence[ScannedHost], replace: Collection[str], *, ask: bool
) -> Sequence[ScannedHost]:
    """Ask, and write the keys of those hosts; return those whose keys were not written."""
    if not wanted:
        note("nothing to add")
        return ()
    hosts = "1 host" if len(wanted) == 1 else f"{len(wanted)} hosts"
    if ask and not agreed(f"Write the keys of {hosts} to known_hosts?"):
        note("nothing was written")
        return wanted
    left = [scanned for scanned in wanted if not _written(scanned, replace)]
    names = [scanned.host.name for scanned in wanted if scanned not in left]
    if names:
        note(f"written to known_hosts: the keys of {', '.join(names)}")
    return left


def _written(scanned: ScannedHost, replace: Collection[str]) -> bool:
    """Write a host's keys; when that cannot be, say why, so that the others still are."""
    try:
        write_keys(scanned, replace=scanned.host.name in replace)
    except HostKeyError as error:
        note(f"error: {scanned.host.name}: {error}")
        return False
    return True


def _ended(found: KeyScan, stop: Stop, bad: Sequence[ScannedHost]) -> int:
    """Write the summary of what went wrong, and return the exit code."""
    Summary(Writer.of(sys.stderr, Color.AUTO)).close(found.report)
    return stop.exit_code or max(found.report.exit_code, int(bool(bad)))
