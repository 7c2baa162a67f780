"""`fleetrun hosts`: which hosts are meant, and what is known of them."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import click

from fleetrun.cli.command import Command
from fleetrun.cli.options import FleetOptions, fleet_options
from fleetrun.cli.selection import Selection, opened_selection
from fleetrun.errors import UsageError
from fleetrun.folding import fold
from fleetrun.hosts import Secret
from fleetrun.inventory import Described
from fleetrun.output import Writer
from fleetrun.output.escape import visible
from fleetrun.output.host_tree import host_tree

_LINES = "lines"
_TOP = "all"

_EXAMPLES = """\
fleetrun hosts -i hosts.yaml -l 'web:&berlin' -x web7
fleetrun hosts --where 'site=ams and not role~db' --format folded
fleetrun hosts --graph --vars
fleetrun hosts -w web1 --format json"""


@click.command("hosts", cls=Command, epilog=_EXAMPLES)
@fleet_options
@click.option(
    "--format",
    "form",
    type=click.Choice([_LINES, "folded", "json", "yaml"]),
    default=_LINES,
    show_default=True,
    help="A host a line; web[01-20]; or a document with every value and where it comes from.",
)
@click.option("--graph", is_flag=True, help="Show the groups as a tree, with the hosts in them.")
@click.option("--vars", "variables", is_flag=True, help="Show the variables of each host.")
def command(fleet_options: FleetOptions, form: str, *, graph: bool, variables: bool) -> int:
    """List the selected hosts, one a line.

    Nothing is connected to. Passwords, and variables that are named like secrets, are shown as ***.
    """
    if form != _LINES and (graph or variables):
        option = "--graph" if graph else "--vars"
        raise UsageError(f"{option} shows lines; it does not go with --format {form}")
    with opened_selection(fleet_options) as selection:
        below = _variables_of(selection) if variables else _nothing
        lines = _tree(selection, below) if graph else _WRITTEN[form](selection, below)
        text = "".join(f"{line}\n" for line in lines)
    Writer.of(sys.stdout).write(text.encode())
    return 0


_Below = Callable[[str], Iterable[str]]
"""Returns the lines that stand below a host's name."""


def _nothing(host: str) -> Iterable[str]:  # noqa: ARG001 (as _Below has it)
    return ()


def _variables_of(selection: Selection) -> _Below:
    def below(host: str) -> Iterator[str]:
        variables = selection.inventory.variables(host)
        for name, variable in sorted(variables.items()):
            value = _without_secrets(variable.value)
            written = value if isinstance(value, str) else json.dumps(value)
            yield visible(f"{name} = {written}  ({variable.place})")

    return below


def _lines(selection: Selection, below: _Below) -> Iterator[str]:
    for name in selection.names():
        yield name
        yield from (f"  {line}" for line in below(name))


def _folded(selection: Selection, below: _Below) -> Iterator[str]:  # noqa: ARG001 (has no lines)
    yield ",".join(fold(selection.names()))


def _json(selection: Selection, below: _Below) -> Iterator[str]:  # noqa: ARG001 (all is in it)
    yield json.dumps(_document(selection), indent=2)


def _yaml(selection: Selection, below: _Below) -> Iterator[str]:  # noqa: ARG001 (all is in it)
    import yaml  # noqa: PLC0415 (an inline list needs none)

    yield yaml.safe_dump(_document(selection), sort_keys=False).rstrip("\n")


def _tree(selection: Selection, below: _Below) -> Iterator[str]:
    inventory, names = selection.inventory, frozenset(selection.names())
    return host_tree(
        _TOP,
        groups=inventory.grouping.children,
        hosts=inventory.grouping.hosts,
        is_shown=lambda group: (
            len(names) == len(inventory.names) or not names.isdisjoint(inventory.groups[group])
        ),
        shown_hosts=names,
        below=below,
    )


_WRITTEN: dict[str, Callable[[Selection, _Below], Iterator[str]]] = {
    _LINES: _lines,
    "folded": _folded,
    "json": _json,
    "yaml": _yaml,
}


def _document(selection: Selection) -> dict[str, object]:
    return {"hosts": [_as_plain(each) for each in selection.described()]}


def _as_plain(described: Described) -> dict[str, object]:
    """Return every field of the host, by name, as the types that JSON has, and its obstacles."""
    host = described.host
    values = {field.name: getattr(host, field.name) for field in dataclasses.fields(host)}
    plain = {name: _without_secrets(value) for name, value in values.items()}
    return {**plain, "obstacles": [str(obstacle) for obstacle in described.obstacles]}


def _without_secrets(value: object) -> object:
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
