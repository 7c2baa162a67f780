"""Write docs/reference/commands.md from the command line itself: `python docs/make_commands.py`.

The page says what `--help` says, so it cannot say anything else. A test compares the two, and
fails until this script was run again.
"""  # noqa: INP001 (a script beside the pages, no package)

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from fleetrun.cli.app import PROGRAM, app
from fleetrun.cli.compare import Comparing

PAGE = Path(__file__).parent / "reference" / "commands.md"

_HEAD = """\
# Commands and options

<!-- Written by docs/make_commands.py from what `fleetrun --help` says; not edited by hand. -->

Every command has `-h` and `--help`. Options may stand before or after the other words of a
command. A TIME is a number of seconds (`10`, `0.5`) or has a unit: `50ms`, `2s`, `1m`, `1h`.
What the exit codes mean is in [Outcomes and exit codes](outcomes.md); the variables of the
environment are in [Environment](environment.md).
"""
_READ_BY_MARKDOWN = re.compile(r"([\[\]*_<])")


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *_group_section(), *_command_sections()])


def commands(
    command: click.Command = app, context: click.Context | None = None
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command that does something itself, as it is typed, in the order of the help."""
    context = context or click.Context(command, info_name=PROGRAM)
    if not isinstance(command, click.Group):
        yield context.command_path, command, context
    if not isinstance(command, click.Group | Comparing):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None  # noqa: S101 (its group has just named it)
        yield from commands(inner, click.Context(inner, info_name=name, parent=context))


def options(command: click.Command) -> Iterator[click.Option]:
    """Yield the command's own options, without --help, which all commands have."""
    yield from (param for param in command.params if isinstance(param, click.Option))


def _group_section() -> Iterator[str]:
    yield f"## {PROGRAM}\n"
    yield from map(_option_line, options(app))


def _command_sections() -> Iterator[str]:
    for path, command, context in commands():
        yield f"\n## {path}\n"
        yield f"```text\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
        yield _paragraphs(command.help)
        if lines := [_option_line(option) for option in options(command)]:
            yield "\n".join(["\nOptions:\n", *lines])
        if command.epilog is not None:
            yield f"\nExamples:\n\n```sh\n{command.epilog.strip()}\n```"


def _option_line(option: click.Option) -> str:
    """Return a list item; not click's own text, which changes between its versions."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    spelling = " ".join(filter(None, [names, _value(option)]))
    notes = "; ".join(filter(None, [_range(option), _default(option)]))
    return f"- `{spelling}`: " + _plain(f"{option.help} [{notes}]" if notes else option.help)


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    return option.metavar or "N"


def _range(option: click.Option) -> str:
    if not isinstance(option.type, click.IntRange) or not option.type.min:
        return ""
    low, high = option.type.min, option.type.max
    return f"at least {low}" if high is None else f"{low} to {high}"


def _default(option: click.Option) -> str:
    return f"default: {option.default}" if option.show_default else ""


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(map(_plain, (text or "").strip().split("\n\n")))


def _plain(text: str | None) -> str:
    """Return the text on one line, with what Markdown would read as markup escaped."""
    return _READ_BY_MARKDOWN.sub(r"\\\1", " ".join((text or "").split()))


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{page()}\n", encoding="utf-8")
