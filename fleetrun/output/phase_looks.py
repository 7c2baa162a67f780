"""How the phases of a host are drawn, in terminals and in reports, in the order of the phases."""

from __future__ import annotations

from dataclasses import dataclass

from fleetrun.results import Phase
from fleetrun.runs import START


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one phase is drawn.

    Attributes:
        letter: what stands for it where there are no colours.
        style: its colour on a terminal, as rich names it.
        color: its colour in a report, legible on white and on black.
    """

    letter: str
    style: str
    color: str


LOOKS: dict[str, Look] = {
    START: Look(letter=".", style="bright_black", color="#8c8c8c"),
    Phase.RESOLVE: Look(letter="r", style="white", color="#b0a090"),
    Phase.CONNECT: Look(letter="c", style="bright_blue", color="#56b4e9"),
    Phase.BANNER: Look(letter="b", style="blue", color="#2f77b4"),
    Phase.KEX: Look(letter="k", style="magenta", color="#cc79a7"),
    Phase.HOSTKEY: Look(letter="h", style="bright_magenta", color="#9467bd"),
    Phase.AUTH: Look(letter="a", style="yellow", color="#e69f00"),
    Phase.SESSION: Look(letter="s", style="cyan", color="#17a5b8"),
    Phase.EXEC: Look(letter="e", style="red", color="#d55e00"),
    Phase.RUN: Look(letter="#", style="green", color="#2ca25f"),
    Phase.TRANSFER: Look(letter="=", style="bright_green", color="#7fbf3f"),
}
"""By phase. The colours are told apart by people who see red and green alike (after Okabe, Ito)."""
