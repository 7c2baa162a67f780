"""`fleetrun keys`: which keys the hosts show, and taking them into known_hosts."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from fleetrun.cli.command import Command
from fleetrun.cli.notes import note
from fleetrun.cli.opening import opened_source, overrides
from fleetrun.cli.options import (
    FleetOptions,
    Format,
    RunOptions,
    fleet_options,
    format_option,
    run_options,
)
from fleetrun.cli.signals import Stop
from fleetrun.errors import UsageError
from fleetrun.events import Finished
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.inventory import Inventory
from fleetrun.operations import ScanKeys
from fleetrun.output import Summary, Writer
from fleetrun.output.color import Color
from fleetrun.output.keys_table import KeyRow, write_keys_json, write_keys_table
from fleetrun.results import Report
from fleetrun.ssh import SshScan
from fleetrun.ssh.hostkeys import (
    Standing,
    Verdict,
    add_host_key,
    judge_all,
    read_scanned_keys,
    replace_host_keys,
)
from fleetrun.ssh.known_hosts import HostKey


@click.group("keys")
def command() -> None:
    """Collect host keys, and approve the new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What one host shows, and how each key stands to what is known of it."""

    host: Host
    keys: tuple[tuple[HostKey, Verdict], ...]

    def standing(self, *wanted: Standing) -> bool:
        return any(verdict.standing in wanted for _, verdict in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scan:
    """What was found on the hosts that could be reached, and the report on all of them."""

    found: tuple[_Found, ...]
    report: Report

    @property
    def rows(self) -> list[KeyRow]:
        return [
            KeyRow(
                host=each.host.name,
                standing=verdict.standing,
                key_type=key.key_type,
                fingerprint=key.fingerprint,
                place=None if verdict.entry is None else verdict.entry.place,
            )
            for each in self.found
            for key, verdict in each.keys
        ]


@command.command(
    "scan", cls=Command, epilog="fleetrun keys scan -l web\nfleetrun keys scan --format json"
)
@fleet_options
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
    found = _scanned(fleet_options, run_options, stop)
    write = write_keys_json if format is Format.JSON else write_keys_table
    write(found.rows, Writer.of(sys.stdout))
    return _ended(found, stop, replaced=frozenset())


@command.command(
    "approve",
    cls=Command,
    epilog="fleetrun keys approve -l web\nfleetrun keys approve --replace web3",
)
@fleet_options
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
    """
    scanned = _scanned(fleet_options, run_options, stop)
    _check_names(replace, scanned)
    wanted = [each for each in scanned.found if _to_write(each, replace)]
    write_keys_table(scanned.rows, Writer.of(sys.stdout))
    if not wanted:
        note("nothing to add")
    elif not stop.exit_code and (yes or _agreed(wanted)):
        for each in wanted:
            _write(each, replaced=each.host.name in replace)
        note(f"written to known_hosts: the keys of {', '.join(each.host.name for each in wanted)}")
    return _ended(scanned, stop, replaced=frozenset(replace))


def _scanned(options: FleetOptions, run: RunOptions, stop: Stop) -> _Scan:
    with opened_source(options) as source:
        began_at_s = time.monotonic()
        hosts = Inventory.load(source, overrides=overrides(options)).select(options.limit)
        with (
            Fleet(
                hosts, mode=run.mode, forks=run.forks, retries=run.retries, connect=SshScan()
            ) as fleet,
            stop.cancels(fleet.cancel),
        ):
            results = [
                event.result for event in fleet.events(ScanKeys()) if isinstance(event, Finished)
            ]
    report = Report.of(
        [host.name for host in hosts], results, wall_seconds=time.monotonic() - began_at_s
    )
    return _Scan(found=tuple(_found(hosts, report)), report=report)


def _found(hosts: Sequence[Host], report: Report) -> Iterator[_Found]:
    for host, result in zip(hosts, report, strict=True):
        if result.ok:
            keys = read_scanned_keys(result.stdout)
            verdicts = judge_all(host, keys)
            yield _Found(host=host, keys=tuple(zip(keys, verdicts, strict=True)))


def _check_names(replace: Sequence[str], scanned: _Scan) -> None:
    names = {result.host for result in scanned.report}
    for name in replace:
        if name not in names:
            raise UsageError(f"--replace {name}: no such host is selected")


def _to_write(found: _Found, replace: Sequence[str]) -> bool:
    if found.standing(Standing.REVOKED):
        return False
    if found.host.name in replace:
        return found.standing(Standing.CHANGED, Standing.NEW)
    return found.standing(Standing.NEW)


def _agreed(wanted: Sequence[_Found]) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask; look at the keys, then give --yes")
    return click.confirm(f"Write the keys of {len(wanted)} hosts to known_hosts?", err=True)


def _write(found: _Found, *, replaced: bool) -> None:
    if replaced:
        replace_host_keys(found.host, [key for key, _ in found.keys])
        return
    for key, verdict in found.keys:
        if verdict.standing is Standing.NEW:
            add_host_key(found.host, key, beside_others=True)


def _ended(scanned: _Scan, stop: Stop, *, replaced: frozenset[str]) -> int:
    """Write the summary of what went wrong, and return the exit code."""
    Summary(Writer.of(sys.stderr, Color.AUTO)).close(scanned.report)
    bad = any(
        each.standing(Standing.REVOKED)
        or (each.standing(Standing.CHANGED) and each.host.name not in replaced)
        for each in scanned.found
    )
    return stop.exit_code or max(scanned.report.exit_code, int(bad))
