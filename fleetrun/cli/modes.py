"""How the command line spells several modes: `sequential,threads`, or `all` of this machine."""

from __future__ import annotations

import click

from fleetrun.executors import LOCAL_MODES, Mode

ALL = "all"

SPELLINGS = f"{', '.join(LOCAL_MODES)}, which are all; and {Mode.DASK}"
"""What there is, for a help text."""


def modes(text: str) -> tuple[Mode, ...]:
    """Return the modes in the order given, each once; raises `click.BadParameter`."""
    if text == ALL:
        return LOCAL_MODES
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in list(Mode):
            raise click.BadParameter(f"{name!r} is no mode; there are {', '.join(Mode)}, or {ALL}.")
        if names.count(name) > 1:
            raise click.BadParameter(f"{name!r} is there twice.")
    return tuple(map(Mode, names))


def complete_modes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001 (click's signature)
    """Return what the modes that were begun may go on with: one that is not there yet."""
    before, comma, begun = incomplete.rpartition(",")
    names = [name for name in Mode if name not in before.split(",")]
    return [before + comma + name for name in names if name.startswith(begun)]
