"""What the command line says of every host; it beats the inventory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from fleetrun.errors import InventoryError
from fleetrun.hosts import MAX_PORT, HostKeyPolicy, Secret, check_word
from fleetrun.inventory.place import Place
from fleetrun.inventory.remarks import Remarks
from fleetrun.inventory.tree import Entry, Scalar
from fleetrun.inventory.variables import Layer, Variable, read_variables

_EXTRA_VARS = "--extra-vars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Settings for every host that beat the inventory's; None where none was given.

    The fields are those of `Host`, and besides:

    Attributes:
        become: whether to become another user (`become_user`, else that of the inventory, else
            root); a become_user alone says so too.
        variables: variables by name, as text; they beat all others, and these fields as well.

    Raises `InventoryError` that names the option (`--port: …`) when a value cannot be used.
    """

    user: str | None = None
    port: int | None = None
    private_key: str | None = None
    known_hosts: tuple[str, ...] | None = None
    host_keys: HostKeyPolicy | None = None
    connect_timeout_s: float | None = None
    command_timeout_s: float | None = None
    password: Secret | None = None
    become: bool | None = None
    become_user: str | None = None
    become_password: Secret | None = None
    legacy_algorithms: bool | None = None
    ssh_config: str | None = None
    variables: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.user is not None:
            _check_user(self.user)
        if self.port is not None and not 1 <= self.port <= MAX_PORT:
            raise Place("--port").error(f"{self.port} is not between 1 and {MAX_PORT}")
        for name in ("connect_timeout_s", "command_timeout_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise Place(_option(name)).error(f"{seconds} is not a positive number of seconds")

    def settings(self) -> dict[str, Variable]:
        """Return what was given, but for the variables, by the setting that it gives."""
        given = {name: getattr(self, name) for name in _FLAGS}
        if self.become is None and self.become_user is not None:
            given["become"] = True
        return {
            name: Variable(_option(name), value, Place(_option(name)), means=value)
            for name, value in given.items()
            if value is not None
        }

    def layer(self, remarks: Remarks) -> Layer:
        """Return the variables; raises `InventoryError` as for those of an inventory."""
        given = self.variables or {}
        entries = {name: Entry(Scalar(it, None, quoted=True), None) for name, it in given.items()}
        return read_variables(entries, _EXTRA_VARS, remarks)


_FLAGS = tuple(field.name for field in fields(Overrides) if field.name != "variables")


def _check_user(user: str) -> None:
    try:
        check_word("user", user)
    except InventoryError as error:
        raise Place("--user").error(error.message) from error


_FOR_SECRETS = {
    "password": "-k or --password-file",
    "become_password": "-K or --become-password-file",
}
"""The options that set a field whose value never stands in an option."""


def _option(name: str) -> str:
    """Return the option that sets the field: `--connect-timeout` for `connect_timeout_s`."""
    return _FOR_SECRETS.get(name) or "--" + name.removesuffix("_s").replace("_", "-")
