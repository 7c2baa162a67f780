"""`fleetrun completion`: the script that lets a shell complete fleetrun's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fleetrun.cli.command import Command

_EXAMPLES = """\
bash:  echo 'eval "$(fleetrun completion bash)"' >> ~/.bashrc
zsh:   echo 'eval "$(fleetrun completion zsh)"' >> ~/.zshrc
fish:  fleetrun completion fish > ~/.config/fish/completions/fleetrun.fish"""


@click.command("completion", cls=Command, epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the completion script of SHELL; the examples have it in every new shell.

    Commands, options and their values are completed, and for -l, -w and -x the hosts and groups of
    the inventory.
    """
    program = ctx.find_root()
    name = program.info_name or "fleetrun"
    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 (click knows the three)
    click.echo(completion(program.command, {}, name, f"_{name.upper()}_COMPLETE").source())
    return 0
