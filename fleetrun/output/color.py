"""Whether to colour, and how. Used by the sinks; nothing of the road depends on it.

`--color always|never` decides; left at `auto`, `NO_COLOR` (https://no-color.org) decides, then
`CLICOLOR_FORCE` (https://bixense.com/clicolors), then whether it is a terminal that can.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Mapping

_RESET = "\x1b[0m"
RED = "\x1b[31m"
_HOST_COLORS = ("\x1b[36m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[34m", "\x1b[96m")
"""Cyan, green, yellow, magenta, blue, bright cyan: legible on light and dark; red means failure."""


class Color(enum.StrEnum):
    """What the user asked for with `--color`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def wants_color(choice: Color, *, is_terminal: bool, environ: Mapping[str, str]) -> bool:
    """Decide whether what goes to one output is coloured."""
    if choice is not Color.AUTO:
        return choice is Color.ALWAYS
    if environ.get("NO_COLOR"):
        return False
    if environ.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    return is_terminal and environ.get("TERM") != "dumb"


def paint(text: str, color: str) -> str:
    """Return the text in the colour."""
    return f"{color}{text}{_RESET}"


def host_color(host: str) -> str:
    """Return the host's colour: the same in each run, on each machine."""
    return _HOST_COLORS[zlib.crc32(host.encode()) % len(_HOST_COLORS)]
