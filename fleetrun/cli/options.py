"""The options that commands share. Each group of them reaches its command as one record.

A command that is decorated with `@fleet_options` takes a `FleetOptions` by the name of
`fleet_options`, and so on. An option that stands alone, such as `format_option`, reaches it as it
is.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass

import click

from fleetrun.cli.completing import complete_limit
from fleetrun.cli.duration import delay, timeout
from fleetrun.executors import Mode
from fleetrun.hosts import HostKeyPolicy
from fleetrun.output.color import Color

Callback = Callable[..., int]
"""A command's function: takes its parameters by name, returns the exit code."""


class Format(enum.StrEnum):
    """How results are written to standard output."""

    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """Which hosts, and how to reach them. None (or nothing) where an option was not given."""

    inventory: str | None
    limit: str | None
    lab: int | None
    rtt_s: float | None
    user: str | None
    port: int | None
    private_key: str | None
    known_hosts: tuple[str, ...]
    host_keys: str | None
    connect_timeout_s: float | None
    command_timeout_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How the waiting is overlapped, what is tried again, and where the debug log goes."""

    mode: str
    forks: int | None
    retries: int
    debug_log: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is written, and how."""

    format: Format
    verbose: bool
    quiet: bool
    no_prefix: bool
    color: Color


def gathered(
    name: str, record: type, *options: Callable[[Callback], Callback]
) -> Callable[[Callback], Callback]:
    """Return a decorator that adds the options and passes their values as one record."""
    fields = [field.name for field in dataclasses.fields(record)]

    def decorate(callback: Callback) -> Callback:
        @functools.wraps(callback)
        def call(*args: object, **values: object) -> int:
            gathered = record(**{field: values.pop(field) for field in fields})
            return callback(*args, **values, **{name: gathered})

        decorated: Callback = call
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


format_option = click.option(
    "--format",
    type=click.Choice([each.value for each in Format]),
    default=Format.LINES.value,
    show_default=True,
    callback=lambda _ctx, _param, value: Format(value),
    help="Lines as they come, or one JSON document at the end.",
)

forks_option = click.option(
    "-f",
    "--forks",
    "--fanout",
    "forks",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many hosts at once [default: 64 threads, or 2 processes a core].",
)

debug_log_option = click.option(
    "--debug-log",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Append the log of fleetrun and of paramiko to FILE, which only you can read.",
)

fleet_options = gathered(
    "fleet_options",
    FleetOptions,
    click.option(
        "-i",
        "--inventory",
        type=click.Path(),
        metavar="FILE",
        help="Inventory, or the hosts themselves: 'h1,h2,'. Without it, $FLEETRUN_INVENTORY, then "
        "$ANSIBLE_INVENTORY, then ./hosts.yaml.",
    ),
    click.option(
        "-l",
        "--limit",
        metavar="PATTERN",
        shell_complete=complete_limit,
        help="Only the hosts and groups that match.",
    ),
    click.option(
        "--lab",
        type=click.IntRange(min=1),
        metavar="N",
        help="Start N practice hosts on this machine for this one command.",
    ),
    click.option(
        "--rtt",
        "rtt_s",
        type=delay,
        metavar="TIME",
        help="Round trip to the practice hosts of --lab, such as 50ms.",
    ),
    click.option("-u", "--user", metavar="NAME", help="Login name."),
    click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of every host."),
    click.option(
        "--private-key",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Key to log in with.",
    ),
    click.option(
        "--known-hosts",
        multiple=True,
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="File that vouches for host keys; may be given several times.",
    ),
    click.option(
        "--host-keys",
        type=click.Choice([policy.value for policy in HostKeyPolicy]),
        help="What to do with a host key that nothing vouches for [default: strict].",
    ),
    click.option(
        "-T",
        "--connect-timeout",
        "connect_timeout_s",
        type=timeout,
        metavar="TIME",
        help="For resolving, connecting and key exchange together [default: 10s].",
    ),
    click.option(
        "--command-timeout",
        "command_timeout_s",
        type=timeout,
        metavar="TIME",
        help="For the command or transfer [default: no limit].",
    ),
)

run_options = gathered(
    "run_options",
    RunOptions,
    click.option(
        "--mode",
        type=click.Choice([mode.value for mode in Mode]),
        default=Mode.THREADS.value,
        show_default=True,
        help="How the waiting is overlapped.",
    ),
    forks_option,
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Try a host that could not be reached N times more; never one that may have run.",
    ),
    debug_log_option,
)

output_options = gathered(
    "output_options",
    OutputOptions,
    format_option,
    click.option(
        "-v", "--verbose", is_flag=True, help="Say how it was run, and each host's seconds."
    ),
    click.option("-q", "--quiet", is_flag=True, help="No summary when every host is ok."),
    click.option("-N", "--no-prefix", is_flag=True, help="No host name before each line."),
    click.option(
        "--color",
        type=click.Choice([choice.value for choice in Color]),
        default=Color.AUTO.value,
        callback=lambda _ctx, _param, value: Color(value),
        help="Colour the host names [default: on terminals, unless $NO_COLOR].",
    ),
)
