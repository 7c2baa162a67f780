"""A command whose arguments are the words of a remote command, for `exec` and `compare`."""

from __future__ import annotations

import re

import click

from fleetrun.cli.command import Command

_ADVICE = "quote the command, or put -- before it"
_CLUSTER = re.compile(r"-[A-Za-z].+")


class WordsCommand(Command):
    """Takes options before and behind the command's words, and refuses to guess whose they are.

    The words are its argument `words`. Left to itself, click would run `exec grep -v foo log` as
    `grep foo log`, verbosely, and `exec ls -la` as `ls` on the hosts that match `a`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, then check that the words of the command stand together."""
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
        except (click.NoSuchOption, click.BadOptionUsage) as error:
            message = f"{error.format_message()} If it belongs to the command, {_ADVICE}."
            raise click.UsageError(message, ctx) from error
        if ctx.params.get("words") and not ctx.resilient_parsing:
            _check_together(given, list(ctx.params["words"]), ctx)
        return rest


def _check_together(given: list[str], words: list[str], ctx: click.Context) -> None:
    """Fail when options stand among the words, or one stands after them stuck to its value."""
    if "--" in given:
        given.remove("--")
    begins = range(len(given) - len(words) + 1)
    end = next((at + len(words) for at in begins if given[at : at + len(words)] == words), None)
    if end is None:
        ctx.fail(f"Options stand among the words of the command {' '.join(words)!r}: {_ADVICE}.")
    if stuck := next(filter(_CLUSTER.fullmatch, given[end:]), None):
        ctx.fail(f"{stuck!r} after {words[-1]!r} may belong to the command: {_ADVICE}.")
