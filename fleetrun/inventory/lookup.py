"""What a host has by a name, for the filters of `fleetrun.inventory.where`."""

from __future__ import annotations

from collections.abc import Iterable

from fleetrun.hosts import DEFAULT_PORT, Secret, current_user
from fleetrun.inventory.known import Obstacle
from fleetrun.inventory.resolution import Resolver
from fleetrun.inventory.where import OPTION

_OWN = ("name", "address", "port", "user")
"""What is asked of a host itself, and not of its variables."""

_VARS = "vars."


class Lookup:
    """Looks up values of the hosts of one inventory; safe to share between threads."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def value(self, host: str, name: str) -> object:
        """Return text, a number, a list or a dictionary; None when the host has nothing so named.

        `name`, `address`, `port` and `user` are what it is connected to with; `vars.port` and all
        other names are variables, and `disks.sda` is a value in one. Raises `InventoryError` when
        it is a secret.
        """
        if name in _OWN:
            return self._own(host, name)
        name = name.removeprefix(_VARS)
        variable = self._resolver.variable(host, name)
        if variable is not None:
            return _shown(variable.value, name)
        first, *keys = name.split(".")
        variable = self._resolver.variable(host, first)
        value = None if variable is None else variable.value
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return _shown(value, name)

    def names(self, hosts: Iterable[str]) -> list[str]:
        """Return all names that any of the hosts has a value by."""
        found = dict.fromkeys(_OWN)
        for host in hosts:
            found.update(dict.fromkeys(self._resolver.variables(host)))
        return list(found)

    def _own(self, host: str, name: str) -> object:
        if name == "name":
            return host
        variable = self._resolver.fields(host).get(name)
        if variable is None:
            return {"address": host, "port": DEFAULT_PORT, "user": current_user()}[name]
        return None if isinstance(variable.means, Obstacle) else variable.means


def _shown(value: object, name: str) -> object:
    if isinstance(value, Secret):
        raise OPTION.error(f"{name!r} is a secret, which no filter is told")
    return value
