"""From a draft to hosts with every default applied. Fifth step of the inventory.

default < all < parent group < child group < host < command line
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from fleetrun.hosts import Host
from fleetrun.inventory.draft import Draft, DraftHost
from fleetrun.inventory.lineage import Lineage
from fleetrun.inventory.overrides import Overrides
from fleetrun.inventory.variables import Setting, Variables

_DEFAULT_SOURCES = {
    field.name: "default"
    for field in fields(Host)
    if field.name not in {"name", "groups", "vars", "sources"}
}


def resolve(draft: Draft, overrides: Overrides) -> tuple[tuple[Host, ...], dict[str, list[str]]]:
    """Return the hosts in the draft's order, and the names of the hosts in each group.

    Hosts of the same groups share what they inherit. Raises `InventoryError` when a group is its
    own ancestor, or when a setting that a host needs cannot be known.
    """
    lineage = Lineage(draft.groups)
    beating = overrides.settings()
    inherited: dict[tuple[str, ...], _Inherited] = {}
    members: dict[str, list[str]] = {name: [] for name in draft.groups}
    hosts = []
    for host in draft.hosts.values():
        key = tuple(host.groups)
        if key not in inherited:
            inherited[key] = _inherit(draft, lineage.outermost_first(key))
        hosts.append(_resolve_host(host, inherited[key], beating))
        for group in inherited[key].groups:
            members[group].append(host.name)
    return tuple(hosts), members


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What all hosts of the same groups have in common; `all` is the first of the groups."""

    groups: tuple[str, ...]
    variables: Variables
    sources: dict[str, str]


def _inherit(draft: Draft, groups: tuple[str, ...]) -> _Inherited:
    variables = Variables()
    for name in groups:
        variables.update(draft.groups[name].variables)
    return _Inherited(groups, variables, _DEFAULT_SOURCES | _places(variables.settings))


def _resolve_host(draft: DraftHost, inherited: _Inherited, beating: dict[str, Setting]) -> Host:
    own, outer = draft.variables, inherited.variables
    nearer = own.settings | beating
    values: dict[str, Any] = {
        name: _known(setting, draft.name) for name, setting in (outer.settings | nearer).items()
    }
    return Host(
        name=draft.name,
        groups=inherited.groups[1:],
        vars=outer.values | own.values if own.values else outer.values,
        sources=inherited.sources | {"name": str(draft.place)} | _places(nearer),
        **values,
    )


def _places(settings: dict[str, Setting]) -> dict[str, str]:
    return {name: str(setting.place) for name, setting in settings.items()}


def _known(setting: Setting, host: str) -> object:
    if setting.obstacle is not None:
        raise setting.place.error(
            f"{setting.name!r} of host {host!r} {setting.obstacle}; write the value itself"
        )
    return setting.value
