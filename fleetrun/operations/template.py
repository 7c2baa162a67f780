"""One value for each host in a command or a path: `{host}`, `{index}`, `{count}`, `{vars.NAME}`.

Pure: an operation and the hosts go in, one operation a host comes out, before anything is
connected. In a command a value is quoted for the shell, so that it stays one word whatever is in
it, unless `:raw` follows the name; a path has no shell, and takes every value as it is. `{{` and
`}}` are braces. What is no placeholder stays: `${HOME}`, `{print $1}`, `{a,b}`.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import UsageError
from fleetrun.folding import fold
from fleetrun.hosts import Host, Secret
from fleetrun.operations.execute import Exec
from fleetrun.operations.get import Get
from fleetrun.operations.put import Put

_PLACEHOLDER = re.compile(
    r"(?P<brace>\{\{|\}\})"
    r"|(?<!\$)\{(?P<name>[a-z]+|vars\.[^{}:\s]+)(?::(?P<how>[a-z]+))?\}"
)
_VARS = "vars."
_RAW = "raw"
_NAMES = "{host}, {index}, {count}, {vars.NAME}"
_NAMED = 5
"""How many hosts an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A host and its place among those of a run.

    Attributes:
        host: the host.
        index: its place in the order of the inventory, from 0.
        count: how many hosts there are.
    """

    host: Host
    index: int
    count: int

    def value(self, name: str) -> str | None:
        """Return what a placeholder stands for; None when the host has no such variable.

        Raises `UsageError` when there is no such placeholder, or the variable has no plain value.
        """
        if name.startswith(_VARS):
            return self._variable(name.removeprefix(_VARS))
        values = {"host": self.host.name, "index": str(self.index), "count": str(self.count)}
        if name not in values:
            raise UsageError(
                f"--template: there is no {{{name}}}; there are {_NAMES}, and {{{{ is a brace"
            )
        return values[name]

    def _variable(self, name: str) -> str | None:
        value = self.host.vars.get(name)
        obstacle = None
        if isinstance(value, Secret):
            obstacle = "is a secret"
        elif isinstance(value, list | dict | tuple):
            obstacle = "is a list or a mapping"
        elif isinstance(value, str) and ("{{" in value or "{%" in value):
            obstacle = "is a Jinja template, which fleetrun does not evaluate"
        if obstacle is not None:
            raise UsageError(f"--template: {{vars.{name}}} of host {self.host.name!r} {obstacle}")
        return None if value is None else str(value)


def numbered(hosts: Sequence[Host]) -> tuple[Numbered, ...]:
    """Return the hosts with their places."""
    return tuple(
        Numbered(host=host, index=index, count=len(hosts)) for index, host in enumerate(hosts)
    )


def fill_command(text: str, hosts: Sequence[Host]) -> tuple[str, ...]:
    """Fill in a command line for each host, its values quoted for the shell.

    Raises `UsageError` at a placeholder that there is not, or that some hosts have no value for.
    """
    return _fill(text, hosts, shlex.quote)


def fill_path(text: str, hosts: Sequence[Host]) -> tuple[str, ...]:
    """Fill in a path for each host; otherwise as `fill_command`.

    A value with `/` in it, or `..`, is refused: it would lead to another folder than was written.
    """
    return _fill(text, hosts, _as_part_of_a_path)


def exec_for_each(
    operation: Exec, hosts: Sequence[Host], *, template: bool = False, env_host: bool = False
) -> tuple[Exec, ...]:
    """Return the operation for each host.

    Args:
        operation: what to run.
        hosts: where, in order.
        template: whether its placeholders are filled in; raises `UsageError` as `fill_command`.
        env_host: whether the command finds `FLEETRUN_HOST`, `FLEETRUN_INDEX` and `FLEETRUN_COUNT`
            in its environment. They are set by the command line itself, since servers drop
            variables that they were not told to accept.
    """
    if not template and not env_host:
        return (operation,) * len(hosts)
    lines = fill_command(operation.command, hosts) if template else [operation.command] * len(hosts)
    return tuple(
        dataclasses.replace(operation, command=_exported(each) + line if env_host else line)
        for each, line in zip(numbered(hosts), lines, strict=True)
    )


def put_for_each(sources: Sequence[str], target: str, hosts: Sequence[Host]) -> tuple[Put, ...]:
    """Return what to put on each host, with the placeholders in both kinds of path filled in.

    Raises `UsageError` as `fill_path`, and as `Put` for a file that is not there.
    """
    rows = _fill_all(sources, hosts)
    targets = fill_path(target, hosts)
    return tuple(
        Put(sources=tuple(map(Path, row)), target=each)
        for row, each in zip(rows, targets, strict=True)
    )


def get_for_each(sources: Sequence[str], target: Path, hosts: Sequence[Host]) -> tuple[Get, ...]:
    """Return what to get from each host, with the placeholders in its paths filled in.

    The local folder has none: every host has its own folder below it anyway. Raises `UsageError`
    as `fill_path`.
    """
    return tuple(Get(sources=row, target=target) for row in _fill_all(sources, hosts))


def _fill_all(paths: Sequence[str], hosts: Sequence[Host]) -> list[tuple[str, ...]]:
    """Fill in several paths; return those of each host."""
    return list(zip(*(fill_path(path, hosts) for path in paths), strict=True))


def _exported(each: Numbered) -> str:
    values = {"HOST": each.host.name, "INDEX": str(each.index), "COUNT": str(each.count)}
    words = (f"FLEETRUN_{name}={shlex.quote(value)}" for name, value in values.items())
    return f"export {' '.join(words)}; "


def _fill(text: str, hosts: Sequence[Host], quote: Callable[[str], str]) -> tuple[str, ...]:
    missing: dict[str, list[str]] = {}
    filled = []
    for each in numbered(hosts):

        def replace(found: re.Match[str], each: Numbered = each) -> str:
            if found["brace"]:
                return found["brace"][0]
            if found["how"] not in {None, _RAW}:
                raise UsageError(f"--template: {found[0]}: only :{_RAW} may follow a name")
            value = each.value(found["name"])
            if value is None:
                missing.setdefault(found["name"], []).append(each.host.name)
                return ""
            return value if found["how"] == _RAW else quote(value)

        filled.append(_PLACEHOLDER.sub(replace, text))
    for name, names in missing.items():
        shown = list(fold(names))
        more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
        raise UsageError(
            f"--template: {{{name}}} has no value on {', '.join(shown[:_NAMED])}{more}"
        )
    return tuple(filled)


def _as_part_of_a_path(value: str) -> str:
    if "/" in value or value in {"..", "."} or "\0" in value:
        raise UsageError(
            f"--template: {value!r} would lead to another folder; write :{_RAW} behind the name if "
            "that is meant"
        )
    return value
