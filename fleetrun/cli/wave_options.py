"""The options of rolling waves, for the commands that change hosts."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fleetrun.cli.duration import delay
from fleetrun.cli.options import gathered
from fleetrun.cli.parts import share
from fleetrun.share import Share
from fleetrun.waves import Waves


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveOptions:
    """A few hosts first, and more when those are well; nothing of it where nothing was given."""

    canary: int
    batch: tuple[Share, ...] | None
    pause_s: float
    health: str | None

    def waves(self) -> Waves | None:
        """Return the waves; None when none were asked for."""
        if not (self.canary or self.batch or self.pause_s or self.health is not None):
            return None
        return Waves(
            canary=self.canary, batch=self.batch or (), pause_s=self.pause_s, health=self.health
        )


def _batch(text: str) -> tuple[Share, ...]:
    """Return the sizes in `5,10%,25%`; raises `click.BadParameter`."""
    return tuple(share(size) for size in text.split(","))


wave_options = gathered(
    "wave_options",
    WaveOptions,
    click.option(
        "--canary",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="First N hosts alone; go on only when they are ok.",
    ),
    click.option(
        "--batch",
        type=_batch,
        metavar="SIZES",
        help="Then that many at a time, such as 5,10%,25%; the last size repeats.",
    ),
    click.option(
        "--pause",
        "pause_s",
        type=delay,
        default="0",
        metavar="TIME",
        help="Wait that long after each wave, before its health is looked at.",
    ),
    click.option(
        "--health",
        metavar="COMMAND",
        help="After each wave, run COMMAND on its hosts; one on which it fails has failed.",
    ),
)
