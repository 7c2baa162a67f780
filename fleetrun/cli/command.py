"""Help with examples: what newcomers read first, shown as it is typed."""

from __future__ import annotations

from collections.abc import Iterable

import click


class Command(click.Command):
    """A command whose epilog is its examples, one a line."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's signature)
        """Write the examples."""
        if self.epilog is not None:
            write_examples(formatter, self.epilog.splitlines())


def write_examples(formatter: click.HelpFormatter, examples: Iterable[str]) -> None:
    """Write the examples under a heading, unwrapped, so that they can be copied."""
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
