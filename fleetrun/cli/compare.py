"""`fleetrun compare`: one command in several modes, or one of the experiments.

fleetrun compare [OPTIONS] COMMAND...      the modes, compare_modes.py
fleetrun compare calls|io|spawn|…          an experiment, compare_NAME.py

Only a first word decides. Each experiment is imported when it is run or asks for its own help.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from fleetrun.cli import compare_modes
from fleetrun.cli.words import WordsCommand

_EXPERIMENTS = {
    "calls": "Ways to call: one by one, waiting, polling, notification, callbacks, asyncio.",
    "io": "Ways to read many sessions in one thread: blocking, polling, select, epoll, signals.",
    "spawn": "What a worker costs: thread, greenlet, process.",
    "multiprogramming": "More tasks than processors: what overlaps on one, and on several.",
}
_END_OF_OPTIONS = "--"


class Comparing(WordsCommand):
    """The comparison of modes, unless the first word is the name of an experiment.

    It knows its experiments as a group knows its commands, but runs without one too.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (as click's groups)
        """Return the names of the experiments."""
        return list(_EXPERIMENTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (likewise)
        """Import an experiment; None when there is none of that name."""
        if cmd_name not in _EXPERIMENTS:
            return None
        command = importlib.import_module(f"fleetrun.cli.compare_{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 (each module there keeps this)
        return command

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 (click's signature)
    ) -> click.Context:
        """Return the context of the experiment or of the comparison; its command is what is run."""
        if args and args[0] in _EXPERIMENTS:
            name, *rest = args
            experiment = importlib.import_module(f"fleetrun.cli.compare_{name}").command
            assert isinstance(experiment, click.Command)  # noqa: S101 (each module there keeps this)
            return experiment.make_context(f"{info_name} {name}", rest, parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as ever, but do not run on hosts what looks like a misplaced experiment."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        name, *others = ctx.params.get("words") or ("",)
        if name in _EXPERIMENTS and not others and _END_OF_OPTIONS not in given:
            ctx.fail(
                f"{name} is an experiment, and comes first: fleetrun compare {name} …; "
                f"a remote command of that name goes after {_END_OF_OPTIONS}."
            )
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the experiments after the options."""
        super().format_options(ctx, formatter)
        with formatter.section("Experiments, in the place of COMMAND"):
            formatter.write_dl(list(_EXPERIMENTS.items()))


def _comparing(modes: click.Command) -> Comparing:
    """Return the comparison of modes, and in front of it the names of the experiments."""
    return Comparing(
        modes.name,
        params=modes.params,
        callback=modes.callback,
        help=modes.help,
        epilog=modes.epilog,
    )


command = _comparing(compare_modes.command)
