"""`fleetrun compare io`: one thread, many outputs, every I/O model."""

from __future__ import annotations

import click

from fleetrun.cli.command import Command
from fleetrun.cli.experiment import ShowOptions, show, show_options, with_practice_hosts
from fleetrun.cli.login_options import LoginOptions, login_options
from fleetrun.cli.notes import note
from fleetrun.cli.opening import opened_hosts
from fleetrun.cli.options import FleetOptions, debug_log_option, fleet_options
from fleetrun.cli.perform import warn_of_unchecked_keys
from fleetrun.compare.reading import measure_reading
from fleetrun.output.experiments.reading import draw, write_table

_PRACTICE_HOSTS = 10
_MOST_STREAMS = 20_000
"""Each needs a port of this machine, of which there are some 28,000."""

_EXAMPLES = """\
fleetrun compare io
fleetrun compare io --lab 32 --streams 32,320 --figure io.svg"""


def sizes(text: str) -> tuple[int, ...]:
    """Return the numbers in ascending order, each once; raises `click.BadParameter`."""
    try:
        numbers = {int(number) for number in text.split(",")}
    except ValueError:
        numbers = {0}
    if min(numbers) < 1 or max(numbers) > _MOST_STREAMS:
        raise click.BadParameter(f"{text!r} is no list of numbers from 1 to {_MOST_STREAMS}.")
    return tuple(sorted(numbers))


@click.command("io", cls=Command, epilog=_EXAMPLES)
@click.option(
    "--streams",
    type=sizes,
    default="10,100,1000",
    show_default=True,
    metavar="N,...",
    help="How many plain streams are read, one number after the other.",
)
@fleet_options
@login_options
@show_options
@debug_log_option
def command(
    streams: tuple[int, ...],
    fleet_options: FleetOptions,
    login_options: LoginOptions,
    show_options: ShowOptions,
    debug_log: str | None,
) -> int:
    """Read the output of many sessions in one thread, in each I/O model, and compare.

    Blocking reads in turn, polling without and with a pause, select, poll, epoll, signals (SIGIO),
    asyncio and gevent. First of a session on each host, which a command writes to five times within
    a second; without -i, -w or --lab there are 10 practice hosts. Then of 10, 100 and 1,000 plain
    TCP streams that a second process writes to in the same way, since so many logins would take
    longer than the reading.

    Shown for each model: its system calls, and how many of them found nothing; how often the thread
    was woken; its processor time; when the first byte of an output was read, of half of them and of
    all, and when the last byte was.
    """
    given = with_practice_hosts(fleet_options, _PRACTICE_HOSTS)
    with opened_hosts(given, login_options, debug_log) as hosts:
        warn_of_unchecked_keys(hosts)
        findings = measure_reading(hosts, streams, tell=note)
    show("io", findings, show_options, write_table=write_table, draw=draw)
    return 0
