"""What the experiments of `fleetrun compare` have in common: how their findings are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from fleetrun.cli.notes import note
from fleetrun.cli.options import FleetOptions, gathered
from fleetrun.output import Writer
from fleetrun.output.experiments.document import write_findings_json
from fleetrun.output.figure import check_drawable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Found = TypeVar("Found", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """How findings are shown."""

    form: str
    figure: Path | None


def _check_figure(
    ctx: click.Context,  # noqa: ARG001 (click's signature)
    param: click.Parameter,  # noqa: ARG001
    value: Path | None,
) -> Path | None:
    """Fail before anything is measured when no figure can be drawn; raises `DependencyError`."""
    if value is not None:
        if value.suffix != ".svg":
            raise click.BadParameter(f"{str(value)!r} does not end in .svg: figures are SVG.")
        check_drawable()
    return value


show_options = gathered(
    "show_options",
    ShowOptions,
    click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table, or one JSON document.",
    ),
    click.option(
        "--figure",
        type=click.Path(dir_okay=False, path_type=Path),
        callback=_check_figure,
        metavar="FILE.svg",
        help="Draw the findings; needs the extra report.",
    ),
)


def show(
    experiment: str,
    findings: Found,
    options: ShowOptions,
    *,
    write_table: Callable[[Found, Writer], None],
    draw: Callable[[Found, Path], None],
) -> None:
    """Write the findings as the options say, and draw them if a figure is wanted."""
    out = Writer.of(sys.stdout)
    if options.form == "json":
        write_findings_json(experiment, findings, out)
    else:
        write_table(findings, out)
    if options.figure is not None:
        draw(findings, options.figure)


def with_practice_hosts(options: FleetOptions, count: int) -> FleetOptions:
    """Return the options, with that many practice hosts where they name no hosts at all.

    An experiment is not run on whatever hosts.yaml happens to lie in the current folder.
    """
    named = (options.inventory, options.hosts, options.limit, options.where, options.pick)
    if options.lab is not None or any(named):
        return options
    note(f"no hosts were given: {count} practice hosts on this machine")
    return replace(options, lab=count)
