"""From the settings that were written to the fields of a host. Fifth step of the inventory.

Most settings are fields. The others say several things at once (what is handed on to ssh) or only
together (becoming another user), and are turned into fields here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from fleetrun.hosts import Host
from fleetrun.inventory.known import Obstacle
from fleetrun.inventory.place import Place
from fleetrun.inventory.ssh_arguments import SshArguments
from fleetrun.inventory.variables import Variable

Settings = Mapping[str, Variable]
"""Variables by the setting that they give."""

FIELDS = frozenset(field.name for field in fields(Host)) - {"name", "groups", "vars", "sources"}
"""The fields of a host that are settings."""

DEFAULTS: Settings = {name: Variable("default", None, Place("default")) for name in sorted(FIELDS)}

_BECOME = ("become", "become_user", "become_method", "become_password")
_HIGH_ARGUMENTS = ("ssh_args",)
_LOW_ARGUMENTS = ("ssh_common_args", "ssh_extra_args")
_COMPOUND = frozenset({*_BECOME, *_HIGH_ARGUMENTS, *_LOW_ARGUMENTS})
_ROOT = "root"


def fields_of(written: Settings, beating: Settings) -> Settings:
    """Return what the fields of a host come from; those that stay at their defaults are left out.

    A variable there may mean an `Obstacle`, also under a name that is no field: the host then
    cannot be used. The beating ones come from the command line.

    What is handed on to ssh stands where it would on ssh's command line, on which Ansible puts
    `ansible_ssh_args` before its own options and the two others after them; the first one counts.
    """
    if not _COMPOUND & (written.keys() | beating.keys()):
        return {**written, **beating}
    high = _from_arguments(written, _HIGH_ARGUMENTS)
    low = _from_arguments(written, _LOW_ARGUMENTS)
    direct = {**low, **written, **high, **beating}
    return {
        **{name: variable for name, variable in direct.items() if not _is_spent(name, variable)},
        **_becoming(direct),
    }


def _is_spent(name: str, variable: Variable) -> bool:
    """Whether all that the variable says is in other fields by now."""
    return name in _BECOME or isinstance(variable.means, SshArguments)


def _from_arguments(written: Settings, names: Iterable[str]) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for name in names:
        variable = written.get(name)
        if variable is not None and isinstance(variable.means, SshArguments):
            for field, means in variable.means.settings.items():
                found.setdefault(field, variable._replace(means=means))
    return found


def _becoming(settings: Settings) -> dict[str, Variable]:
    """Return who is to be become and with which password; None where nobody is."""
    switch = settings.get("become")
    if switch is None:
        return {}
    if not switch.means or isinstance(switch.means, Obstacle):
        return {"become_user": switch if switch.means else switch._replace(means=None)}
    root = switch._replace(means=_ROOT)
    found = {"become_user": settings.get("become_user", root)}
    for name in ("become_method", "become_password"):
        if name in settings:
            found[name] = settings[name]
    return found
