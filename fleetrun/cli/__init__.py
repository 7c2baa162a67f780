"""The command line: one file a command, which parses, calls, renders and exits. Layer 8.

    fleetrun ─► app ─► exec, put, get, … ─► opening (a Fleet) ─► perform (events ─► sinks)

Everything is imported when it is used: worker processes import this module to find `main`, and
`fleetrun --version` is to answer at once.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `args` are those of the process by default.

    To be called from the main thread, since it handles signals.
    """
    from fleetrun.cli.app import run  # noqa: PLC0415 (click costs 30 ms, workers need none of it)

    return run(args)
