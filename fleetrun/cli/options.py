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
from typing import Any

import click

from fleetrun.cli.completing import complete_hosts
from fleetrun.cli.duration import delay, timeout
from fleetrun.cli.parts import share
from fleetrun.executors import Carrier, Mode
from fleetrun.fleet import AUTO
from fleetrun.hosts import HostKeyPolicy, KeysFrom
from fleetrun.output.color import Color
from fleetrun.share import Share

Callback = Callable[..., int]
"""A command's function: takes its parameters by name, returns the exit code."""


class Format(enum.StrEnum):
    """How results are written to standard output."""

    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """Which hosts, and how to reach them; a default where an option was not given, or is none."""

    inventory: tuple[str, ...] = ()
    hosts: str | None = None
    limit: str | None = None
    exclude: str | None = None
    where: str | None = None
    pick: int | None = None
    seed: int | None = None
    extra_vars: tuple[str, ...] = ()
    lab: int | None = None
    rtt_s: float | None = None
    user: str | None = None
    port: int | None = None
    private_key: str | None = None
    known_hosts: tuple[str, ...] = ()
    host_keys: str | None = None
    connect_timeout_s: float | None = None
    command_timeout_s: float | None = None
    legacy_algorithms: bool = False
    ssh_config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How the waiting is overlapped, how much may fail, and where the debug log goes."""

    mode: str
    forks: int | None
    carrier: Carrier | None
    retries: int
    max_fail: Share | None
    max_unreachable: Share | None
    scheduler: str | None
    tls_ca_file: str | None
    tls_cert: str | None
    tls_key: str | None
    site_key: str | None
    keys_from: KeysFrom | None
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
    """Return a decorator that adds the options and passes their values as one record.

    A field of the record that no option gives keeps its default.
    """
    fields = [field.name for field in dataclasses.fields(record)]

    def decorate(callback: Callback) -> Callback:
        @functools.wraps(callback)
        def call(*args: object, **values: object) -> int:
            given = {field: values.pop(field) for field in fields if field in values}
            gathered = record(**given)
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
    help="How many hosts at once [default: 64 threads, 512 greenlets, 2 processes a core, or 256 "
    "in each worker process of dask].",
)

template_option = click.option(
    "--template",
    is_flag=True,
    help="Fill in {host}, {index}, {count} and {vars.NAME} with each host's values.",
)

debug_log_option = click.option(
    "--debug-log",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Append the log of fleetrun, paramiko and Dask to FILE, which only you can read.",
)

_PATTERN: Any = {
    "metavar": "PATTERN",
    "multiple": True,
    "callback": lambda _ctx, _param, given: ",".join(given) if given else None,
    "shell_complete": complete_hosts,
}
"""What options that take a pattern have in common; one that is given twice means both."""

_selecting = (
    click.option(
        "-i",
        "--inventory",
        multiple=True,
        type=click.Path(allow_dash=True),
        metavar="SOURCE",
        help="Inventory: a file, a folder, a script, - for standard input, ssh_config:, "
        "known_hosts:, or the hosts themselves, 'h1,h2,'; several add to each other. Without it, "
        "$FLEETRUN_INVENTORY, then $ANSIBLE_INVENTORY, then ./hosts.yaml.",
    ),
    click.option(
        "-w",
        "--hosts",
        **_PATTERN,
        help="The hosts and groups that match; without an inventory, the hosts themselves.",
    ),
    click.option("-l", "--limit", **_PATTERN, help="Only the hosts and groups that match."),
    click.option("-x", "--exclude", **_PATTERN, help="But not the hosts and groups that match."),
    click.option(
        "--where",
        metavar="FILTER",
        help="Only hosts whose variables are so: 'site=ams and role~db'.",
    ),
    click.option(
        "--pick",
        type=click.IntRange(min=1),
        metavar="N",
        help="At most N of them, at random.",
    ),
    click.option(
        "--seed",
        type=int,
        metavar="N",
        help="Pick the same ones each time.",
    ),
    click.option(
        "-e",
        "--extra-vars",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a variable for every host; it beats all others.",
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
)

_logging_in = (
    click.option("-u", "--user", metavar="NAME", help="Login name."),
    click.option(
        "--private-key",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="Key to log in with.",
    ),
    click.option(
        "--host-keys",
        type=click.Choice([policy.value for policy in HostKeyPolicy]),
        help="What to do with a host key that nothing vouches for [default: strict].",
    ),
    click.option(
        "--command-timeout",
        "command_timeout_s",
        type=timeout,
        metavar="TIME",
        help="For the command or transfer [default: no limit].",
    ),
)

_reaching = (
    click.option(
        "-F",
        "--ssh-config",
        type=click.Path(),
        metavar="FILE",
        help="Read FILE, or none, instead of ~/.ssh/config and the system's.",
    ),
    click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Port of every host."),
    click.option(
        "--known-hosts",
        multiple=True,
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help="File that vouches for host keys; may be given several times.",
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
        "--legacy-algorithms",
        is_flag=True,
        help="Offer CBC, 3DES, MD5 and SHA-1 too, for devices that have nothing better.",
    ),
)

fleet_options = gathered("fleet_options", FleetOptions, *_selecting, *_reaching, *_logging_in)

meeting_options = gathered("fleet_options", FleetOptions, *_selecting, *_reaching)
"""For commands that meet the hosts without logging in."""

_pem_file = click.Path(exists=True, dir_okay=False)

_on_a_cluster = (
    click.option(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="With --mode dask: the scheduler of the Dask cluster that does the work, such as "
        "tls://10.0.0.1:8786, or the file that it wrote (--scheduler-file).",
    ),
    click.option(
        "--tls-ca-file",
        type=_pem_file,
        metavar="FILE",
        help="The authority of the cluster's certificates [default: what Dask is configured with].",
    ),
    click.option(
        "--tls-cert", type=_pem_file, metavar="FILE", help="Certificate to show to the cluster."
    ),
    click.option("--tls-key", type=_pem_file, metavar="FILE", help="Its private key."),
    click.option(
        "--site-key",
        metavar="VARIABLE",
        help="Work on a host from the Dask worker whose resource or name is this variable's value.",
    ),
    click.option(
        "--keys-from",
        type=click.Choice([each.value for each in KeysFrom]),
        callback=lambda _ctx, _param, value: None if value is None else KeysFrom(value),
        help="Whose keys and known_hosts log in: those on each Dask worker's machine, or yours, "
        "which are sent there (over TLS alone, or on this machine) [default: worker].",
    ),
)

run_options = gathered(
    "run_options",
    RunOptions,
    click.option(
        "--mode",
        type=click.Choice([AUTO, *(mode.value for mode in Mode)]),
        default=AUTO,
        show_default=True,
        help="How the waiting is overlapped.",
    ),
    forks_option,
    click.option(
        "--threads",
        "carrier",
        is_flag=True,
        callback=lambda _ctx, _param, given: Carrier.THREADS if given else None,
        help="With --mode hybrid: workers full of threads, where gevent cannot be used.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Try a host that could not be reached N times more; never one that may have run.",
    ),
    click.option(
        "--max-fail",
        type=share,
        metavar="N|P%",
        help="Begin no other host once more than N (or P percent) failed.",
    ),
    click.option(
        "--max-unreachable",
        type=share,
        metavar="N|P%",
        help="Likewise, once more than that could not be reached.",
    ),
    *_on_a_cluster,
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
