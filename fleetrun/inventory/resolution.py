"""From a draft to hosts with every default applied. Last step of the inventory.

default < ssh_config < all < parent group < child group < host < command line < --extra-vars

Of each group and host, what stands in `group_vars/` and `host_vars/` beats what stands in the
inventory. Ansible's order has a twist, which is kept: for groups, all of the inventory comes
first, then `group_vars/all`, then the rest of `group_vars/`, source by source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fleetrun.errors import InventoryError
from fleetrun.hosts import Host
from fleetrun.inventory.draft import ALL, Draft, DraftHost
from fleetrun.inventory.known import Obstacle
from fleetrun.inventory.lineage import Lineage
from fleetrun.inventory.overrides import Overrides
from fleetrun.inventory.place import Place
from fleetrun.inventory.settings import DEFAULTS, FIELDS, Settings, fields_of
from fleetrun.inventory.variables import Layer, Variable, settings_of
from fleetrun.inventory.views import Sources, Values
from fleetrun.ssh.config_settings import with_ssh_config

_NOTHING: Layer = {}


class _Record(NamedTuple):
    """What is kept of a host until it is resolved: its place, its own variables, its groups."""

    place: Place
    own: tuple[Layer, ...]
    inherited: _Inherited


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What all hosts of the same groups have in common.

    Attributes:
        groups: all of them but `all`, those that win last.
        variables: by name.
        settings: by setting, as they are written.
        fields: what the fields come from in a host that has no variables of its own.
        shared: the same for every field, those at their defaults included.
    """

    groups: tuple[str, ...]
    variables: Layer
    settings: Settings
    fields: Settings
    shared: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A host as far as it is known.

    Attributes:
        host: the host; what cannot be known is at its default.
        obstacles: why it cannot be connected to, an error for each value; empty when it can.
    """

    host: Host
    obstacles: tuple[InventoryError, ...]


class Resolver:
    """Resolves the hosts of a draft one by one, when they are asked for.

    A host that nobody asks for may need what cannot be known, such as a password in a vault. What
    hosts have in common is kept once. The draft must not change any more. Immutable; safe to share
    between threads.

    Raises `InventoryError` when a group is its own ancestor, or when the overrides are wrong.
    """

    def __init__(self, draft: Draft, overrides: Overrides) -> None:
        self._extra = overrides.layer(draft.remarks)
        self._last = settings_of([self._extra])
        flags = overrides.settings()
        self._beating = {name: flags[name] for name in flags.keys() - self._last.keys()}
        self._records: dict[str, _Record] = {}
        self.members: dict[str, list[str]] = {name: [] for name in draft.groups}
        lineage = Lineage(draft.groups)
        inherited: dict[tuple[str, ...], _Inherited] = {}
        for name, host in draft.hosts.items():
            common = inherited.get(host.groups)
            if common is None:
                groups = lineage.outermost_first(host.groups)
                common = inherited[host.groups] = self._inherit(groups, draft)
            self._records[name] = _Record(host.place, _own_layers(host, draft), common)
            for group in common.groups:
                self.members[group].append(name)
            self.members[ALL].append(name)

    def variables(self, name: str) -> Mapping[str, Variable]:
        """Return all variables of the host, by name, with the places that they come from."""
        _, own, common = self._records[name]
        return {**common.variables, **self._nearest(own)}

    def variable(self, host: str, name: str) -> Variable | None:
        """Return one variable of the host; None when it has none of that name."""
        _, own, common = self._records[host]
        layers = (self._extra, *reversed(own), common.variables)
        return next((layer[name] for layer in layers if name in layer), None)

    def fields(self, name: str) -> Settings:
        """Return what the fields of the host come from, by field; some may mean an `Obstacle`."""
        _, own, common = self._records[name]
        return self._fields(own, common)

    def host(self, name: str) -> Host:
        """Return the host; raises `InventoryError` when a setting that it needs is of no use."""
        described = self.described(name)
        for obstacle in described.obstacles:
            raise obstacle
        return described.host

    def described(self, name: str) -> Described:
        """Return the host with what is in the way of connecting to it, for who only looks at it."""
        place, own, common = self._records[name]
        fields = self._fields(own, common)
        values: dict[str, Any] = {
            "name": name,
            "groups": common.groups,
            "vars": Values(self._nearest(own), common.variables),
        }
        obstacles: list[InventoryError] = []
        for field, variable in fields.items():
            if isinstance(variable.means, Obstacle):
                sentence = f"{variable.name!r} of host {name!r} {variable.means.reason}"
                obstacles.append(variable.place.error(sentence))
            elif field in FIELDS:
                values[field] = variable.means
        host = with_ssh_config(values, Sources(place, _nearer(fields, common), common.shared))
        return Described(host=host, obstacles=tuple(obstacles))

    def _inherit(self, groups: tuple[str, ...], draft: Draft) -> _Inherited:
        variables: Layer = {}
        layers = list(_inherited_layers(groups, draft))
        for layer in layers:
            variables.update(layer)
        settings = settings_of(layers)
        fields = fields_of({**settings, **self._last}, self._beating)
        return _Inherited(groups[1:], variables, settings, fields, {**DEFAULTS, **fields})

    def _fields(self, own: tuple[Layer, ...], common: _Inherited) -> Settings:
        if not own:
            return common.fields
        written = {**common.settings, **settings_of(own), **self._last}
        return fields_of(written, self._beating)

    def _nearest(self, own: tuple[Layer, ...]) -> Layer:
        """Return the host's own variables, with those of the command line on top, as one layer."""
        layers = (*own, self._extra) if self._extra else own
        if len(layers) <= 1:
            return layers[0] if layers else _NOTHING
        return {name: variable for layer in layers for name, variable in layer.items()}


def _own_layers(host: DraftHost, draft: Draft) -> tuple[Layer, ...]:
    if not draft.vars_folders:
        return host.layers
    beside = (layer for it in draft.vars_folders for layer in it.hosts.get(host.name, ()))
    return (*host.layers, *beside)


def _inherited_layers(groups: tuple[str, ...], draft: Draft) -> Iterator[Layer]:
    for name in groups:
        yield from draft.groups[name].layers
    for folder in draft.vars_folders:
        yield from folder.groups.get(ALL, ())
    for folder in draft.vars_folders:
        for name in groups[1:]:
            yield from folder.groups.get(name, ())


def _nearer(fields: Settings, common: _Inherited) -> Settings:
    """Return what the fields of a host come from where that is not shared with others."""
    if fields is common.fields:
        return _NOTHING
    own = {name: it for name, it in fields.items() if common.fields.get(name) is not it}
    gone = {name: DEFAULTS[name] for name in common.fields if name in FIELDS and name not in fields}
    return {**own, **gone} if gone else own
