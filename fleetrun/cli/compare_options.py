"""The options of `fleetrun compare`: which configurations, how often, on what work, shown how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from fleetrun.cli.modes import ALL, complete_modes
from fleetrun.cli.modes import SPELLINGS as MODES
from fleetrun.cli.modes import modes as read_modes
from fleetrun.cli.options import gathered
from fleetrun.cli.workloads import SPELLINGS, workload
from fleetrun.compare import Workload
from fleetrun.compare.comparison import DEFAULT_FORKS, DEFAULT_ROUNDS
from fleetrun.executors import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What is compared, and how often it is measured."""

    modes: tuple[Mode, ...]
    forks: tuple[int, ...]
    repeat: int
    workload: Workload | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How a comparison is shown."""

    form: str
    timeline: bool | None
    html: Path | None


def _widths(text: str) -> tuple[int, ...]:
    """Return the widths in `1,8,64`; raises `click.BadParameter`."""
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of numbers such as 1,8,64.") from None
    if min(widths) < 1:
        raise click.BadParameter(f"{min(widths)} hosts at once are none; give 1 or more.")
    return widths


def _writable(
    _ctx: click.Context,
    _param: click.Parameter,
    value: str | None,
) -> Path | None:
    """Refuse a file that could not be written, before anything was measured for it."""
    if value is None:
        return None
    path = Path(value)
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise click.BadParameter(f"{path.parent} cannot be written to.")
    return path


configured = gathered(
    "configured",
    Configured,
    click.option(
        "--modes",
        type=read_modes,
        shell_complete=complete_modes,
        default=ALL,
        show_default=True,
        metavar="MODE,...",
        help=f"The modes, in the order in which they are shown: {MODES}.",
    ),
    click.option(
        "-f",
        "--forks",
        "--fanout",
        "forks",
        type=_widths,
        default=str(DEFAULT_FORKS),
        show_default=True,
        metavar="N,...",
        help="How many hosts at once; several numbers measure each mode at each of them.",
    ),
    click.option(
        "--repeat",
        type=click.IntRange(min=1),
        default=DEFAULT_ROUNDS,
        show_default=True,
        metavar="N",
        help="Measure each mode N times, in rounds; the figures are medians.",
    ),
    click.option(
        "--workload",
        type=workload,
        metavar="KIND",
        help=f"In place of COMMAND, a kind of work: {SPELLINGS}.",
    ),
)

shown = gathered(
    "shown",
    Shown,
    click.option(
        "--timeline/--no-timeline",
        "timeline",
        default=None,
        help="Draw who worked on which host when [default: on a terminal with room for it].",
    ),
    click.option(
        "--html",
        type=click.Path(dir_okay=False, writable=True),
        callback=_writable,
        metavar="FILE",
        help="Write a report to FILE too, with charts and timelines, for a browser.",
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="Tables, or one JSON document.",
    ),
)
