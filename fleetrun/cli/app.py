"""The group of commands, and the one place where an error becomes a sentence and an exit code.

Commands are imported when they are run or ask for their own help; `fleetrun --help` shows what the
table below says of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import click

from fleetrun import __version__
from fleetrun.cli.command import write_examples
from fleetrun.cli.notes import note
from fleetrun.cli.signals import Stop
from fleetrun.errors import DependencyError, FleetrunError, UsageError

PROGRAM = "fleetrun"
_USAGE_EXIT_CODE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What `fleetrun --help` says of a command; the module of that name in here has the rest."""

    help: str
    example: str


class LazyGroup(click.Group):
    """Commands by name, each imported from `fleetrun.cli.NAME` as its attribute `command`."""

    table: ClassVar[dict[str, _Entry]] = {
        "exec": _Entry(
            help="Run a command on every host, output live.",
            example='fleetrun exec -i hosts.yaml "uptime" --mode threads',
        ),
        "put": _Entry(
            help="Copy files to every host.",
            example="fleetrun put -l web nginx.conf /etc/nginx/",
        ),
        "get": _Entry(
            help="Copy files from every host, to DEST/HOST/path.",
            example="fleetrun get /var/log/syslog logs/",
        ),
        "hosts": _Entry(
            help="List the selected hosts.",
            example="fleetrun hosts -l web --format json",
        ),
        "explain": _Entry(
            help="Show how a host is reached, and where each setting comes from.",
            example="fleetrun explain web1 --check",
        ),
        "keys": _Entry(
            help="Collect host keys, and approve the new ones.",
            example="fleetrun keys scan -l web",
        ),
        "compare": _Entry(
            help="Run one command in several modes and compare them.",
            example='fleetrun compare --lab 16 "sleep 0.2" --modes sequential,threads,processes',
        ),
        "lab": _Entry(
            help="Start a practice fleet of SSH servers on this machine.",
            example="fleetrun lab up --hosts 8 --rtt 50ms",
        ),
        "completion": _Entry(
            help="Print the script that completes fleetrun's words in a shell.",
            example='eval "$(fleetrun completion bash)"',
        ),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Return the names in the order of the table, the most wanted first."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None when there is none of that name."""
        if cmd_name not in self.table:
            return None
        command = importlib.import_module(f"fleetrun.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 (each module there keeps this)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands and an example of each, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])
        write_examples(formatter, [entry.example for entry in self.table.values()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="No fleet at hand? fleetrun exec --lab 8 uptime brings its own.",
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def app(ctx: click.Context) -> int:
    """Run commands and move files on many hosts at once over SSH."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return _USAGE_EXIT_CODE
    return 0


def run(args: Sequence[str] | None) -> int:
    """Run the command line; every error of ours is one sentence on standard error.

    A bug is none of these: its traceback is shown.
    """
    with Stop() as stop:
        try:
            code = app.main(args=args, prog_name=PROGRAM, standalone_mode=False, obj=stop)
        except click.Abort:  # click's word for KeyboardInterrupt
            note("stopped")
            return stop.exit_code or 1
        except click.ClickException as error:
            return _complain(error.format_message(), error.exit_code)
        except (UsageError, DependencyError) as error:
            return _complain(str(error), _USAGE_EXIT_CODE)
        except FleetrunError as error:
            return _complain(str(error), 1)
        except OSError as error:
            _abandon_stdout()
            place = "" if error.filename is None else f"{error.filename}: "
            return _complain(f"{place}{error.strerror or error}", 1)
    assert isinstance(code, int)  # noqa: S101 (commands return their exit code, click 0 for --help)
    return code


def _complain(sentence: str, exit_code: int) -> int:
    note(f"error: {sentence}")
    return exit_code


def _abandon_stdout() -> None:
    """Let what cannot be written go, or Python would complain about it again when it exits.

    The recipe of Python's documentation, at `signal.SIGPIPE`.
    """
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
