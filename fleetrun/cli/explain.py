"""`fleetrun explain`: how one host is reached, where each setting comes from, what could fail."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from fleetrun.cli.asking import with_login_secrets
from fleetrun.cli.command import Command
from fleetrun.cli.login_options import LoginOptions, login_options
from fleetrun.cli.options import FleetOptions, fleet_options
from fleetrun.cli.perform import warn_of_unchecked_keys
from fleetrun.cli.selection import opened_selection, targets
from fleetrun.cli.signals import Stop
from fleetrun.errors import InventoryError, SessionError, UsageError
from fleetrun.hosts import Host, Secret
from fleetrun.inventory import Described, Targets
from fleetrun.job import PhaseClock
from fleetrun.output import Writer
from fleetrun.output.escape import visible
from fleetrun.results import Outcome
from fleetrun.session import Cancel
from fleetrun.ssh import SshConnect

if TYPE_CHECKING:
    from fleetrun.ssh.explanation import Explanation
    from fleetrun.ssh.explanation import Stop as StopOnTheWay

_EXAMPLES = """\
fleetrun explain web1
fleetrun explain -i hosts.yaml web1 --check"""

_WIDEST = 44
"""A value that is wider pushes its source to the right, and no other value's."""

_NOT_SETTINGS = {"name", "groups", "vars", "sources"}


@click.command("explain", cls=Command, epilog=_EXAMPLES)
@click.argument("name", metavar="HOST")
@fleet_options
@login_options
@click.option(
    "--check", is_flag=True, help="Connect and log in, and show the seconds in each phase."
)
@click.pass_obj
def command(
    stop: Stop,
    name: str,
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    *,
    check: bool,
) -> int:
    """Show how HOST is reached: every setting and where it comes from, the way, the keys.

    HOST is one of the inventory's, or, where there is no inventory, any that ssh would take.
    Nothing is connected to without --check, and no command is run with it. The exit code is 4 when
    the check does not get as far as a login.
    """
    from fleetrun.ssh.explanation import explain  # noqa: PLC0415 (paramiko costs 0.1 s)

    with _opened_host(name, fleet_options, login_options) as found:
        (host,) = with_login_secrets([found.host], login_options)
        _write(_described(explain(host), found.obstacles))
        if not check:
            return 0
        for obstacle in found.obstacles:
            raise obstacle
        return _check(host, stop)


@contextlib.contextmanager
def _opened_host(name: str, options: FleetOptions, login: LoginOptions) -> Iterator[Described]:
    """Yield the one host of that name; without an inventory, what ssh would take it for."""
    if targets(options) != Targets():
        raise UsageError("options that select hosts do not go with explain: HOST says which one")
    with opened_selection(dataclasses.replace(options, hosts=name), login) as selection:
        hosts = selection.described()
        if len(hosts) != 1:
            raise UsageError(f"{name!r} means {len(hosts)} hosts; explain takes one")
        yield hosts[0]


def _described(told: Explanation, obstacles: Iterable[InventoryError]) -> Iterator[str]:
    """Yield the lines, without their ends."""
    host = told.stops[-1].host
    yield host.name
    yield from _settings(host)
    yield ""
    yield "way"
    for number, stop in enumerate(told.stops, start=1):
        yield from _stop_lines(number, stop)
    yield from _marked("  ! ", map(str, obstacles))
    yield from _marked("  ! ", told.problems)
    yield ""
    yield "offered"
    for kind, names in told.algorithms.items():
        yield f"  {kind}: {', '.join(names)}"
    if told.unused:
        yield ""
        yield "in ssh_config, without effect here"
        yield from (f"  {keyword} {value}  ({place})" for keyword, value, place in told.unused)
    yield from _marked("  ! ", told.warnings)


def _settings(host: Host) -> Iterator[str]:
    names = [each.name for each in dataclasses.fields(host) if each.name not in _NOT_SETTINGS]
    rows = [
        (name, _shown(getattr(host, name)), host.sources.get(name, "default")) for name in names
    ]
    widths = [min(_WIDEST, max(len(row[column]) for row in rows)) for column in (0, 1)]
    for name, value, source in rows:
        yield f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip()


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return str(value)
    if value is None or value == ():
        return "-"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _stop_lines(number: int, stop: StopOnTheWay) -> Iterator[str]:
    host = stop.host
    yield f"  {number}. {host.name}: {host.user}@{host.address} port {host.port}"
    if host.proxy_command is not None:
        yield f"     by command: {host.proxy_command}"
    yield from _marked("     log in with: ", stop.methods)
    yield from _marked("     known: ", stop.known)
    yield from _marked("     ! ", stop.problems)


def _marked(mark: str, sentences: Iterable[str]) -> Iterator[str]:
    return (mark + sentence for sentence in sentences)


def _write(lines: Iterable[str]) -> None:
    out = Writer.of(sys.stdout)
    for line in lines:
        out.write(f"{visible(line)}\n".encode())


def _check(host: Host, stop: Stop) -> int:
    """Log in and out again, and show how far that got; return the exit code."""
    warn_of_unchecked_keys([host])
    clock = PhaseClock(host.name, lambda _event: None)
    cancel = Cancel()
    error: SessionError | None = None
    try:
        with stop.cancels(cancel.press):
            SshConnect()(host, clock.enter, cancel).close()
    except SessionError as caught:
        error = caught
    finally:
        clock.stop()
        cancel.close()
    spent = ", ".join(f"{phase} {seconds:.3f} s" for phase, seconds in clock.seconds.items())
    ended = "logged in" if error is None else f"ended in {clock.phase}: {error}"
    _write(["", "check", f"  {spent}", f"  {ended}"])
    return stop.exit_code or (0 if error is None else Outcome.UNREACHABLE.exit_code)
