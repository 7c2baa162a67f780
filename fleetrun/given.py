"""What a program gives a fleet, read: names for hosts, modes and limits. Layer 6 of the road.

Each raises `UsageError` for what it cannot read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fleetrun.errors import UsageError
from fleetrun.executors import Carrier, Mode
from fleetrun.hosts import Host
from fleetrun.share import Share

if TYPE_CHECKING:
    from fleetrun.executors.cluster import Dask  # few programs need it

AUTO = "auto"
"""The name of no mode: one is chosen by the number of hosts and cores."""


def read_hosts(hosts: Iterable[Host | str]) -> tuple[Host, ...]:
    """Return the hosts, those given as text resolved, in the order given."""
    if isinstance(hosts, str):
        raise UsageError(f"hosts is one text; give a list: [{hosts!r}]")
    resolved = tuple(
        found for host in hosts for found in ((host,) if isinstance(host, Host) else _read(host))
    )
    if not resolved:
        raise UsageError("a fleet needs at least one host")
    seen: set[str] = set()
    for host in resolved:
        if host.name in seen:
            raise UsageError(
                f"two hosts are named {host.name!r}; their results could not be told apart"
            )
        seen.add(host.name)
    return resolved


def _read(text: str) -> tuple[Host, ...]:
    """Return the host of that name, or, of a range, the hosts."""
    from fleetrun.inventory import Inventory  # noqa: PLC0415 (YAML is slow)

    return Inventory.of([text]).hosts


def read_mode(mode: Mode | Dask | str) -> tuple[Mode | None, Dask | None]:
    """Return the mode of that name, None for `auto`; and the cluster, if one was given."""
    if not isinstance(mode, str):
        return Mode.DASK, mode
    if mode == AUTO:
        return None, None
    try:
        return Mode(mode), None
    except ValueError as error:
        known = ", ".join([AUTO, *Mode])
        raise UsageError(f"there is no mode {mode!r}; there are: {known}") from error


def read_carrier(carrier: Carrier | str | None) -> Carrier | None:
    """Return the carrier of that name; None when none was given."""
    try:
        return None if carrier is None else Carrier(carrier)
    except ValueError as error:
        known = ", ".join(Carrier)
        raise UsageError(f"there is no carrier {carrier!r}; there are: {known}") from error


def read_limit(limit: Share | int | str | None, hosts: int) -> int | None:
    """Return how many of the hosts a limit comes to; None when there is none."""
    return None if limit is None else Share.of(limit).among(hosts)
