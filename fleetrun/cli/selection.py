"""From options to an inventory, and to the hosts in it that are meant."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fleetrun.cli.login_options import BecomeOptions, LoginOptions
from fleetrun.cli.notes import note
from fleetrun.cli.options import FleetOptions
from fleetrun.cli.source import find_sources, named_sources
from fleetrun.errors import UsageError
from fleetrun.hosts import Host, HostKeyPolicy, Secret
from fleetrun.inventory import Described, Inventory, Overrides, Targets
from fleetrun.inventory.words import split_words

_SELECTING = "!&~*?"
"""What a part of a pattern has that is more than a name or a range."""

_LATER = Secret("")
"""Stands for a password that is asked for once the selection has proved right: a host whose own
one is in a vault can do without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """An inventory, and which of its hosts are meant."""

    inventory: Inventory
    targets: Targets

    def names(self) -> tuple[str, ...]:
        """Return the names of the hosts, in order; raises `InventoryError` when there are none."""
        return self.inventory.matching(self.targets)

    def hosts(self) -> tuple[Host, ...]:
        """Return the hosts, in order; raises `InventoryError` also when one cannot be used."""
        return self.inventory.select(self.targets)

    def described(self) -> tuple[Described, ...]:
        """Return the hosts, in order, with what is in the way of connecting to each."""
        return self.inventory.describe(self.targets)


@contextlib.contextmanager
def opened_selection(
    options: FleetOptions,
    login: LoginOptions | None = None,
    become: BecomeOptions | None = None,
) -> Iterator[Selection]:
    """Yield what the options name, after starting the lab when one was asked for.

    The inventory's warnings are written. Raises `UsageError` when the options name no inventory,
    or when it is wrong.
    """
    given = _overrides(options, login, become)
    if options.lab is None:
        if options.rtt_s is not None:
            raise UsageError("--rtt is the round trip to the hosts of --lab, which was not given")
        yield _loaded(options, given)
        return
    if options.inventory:
        raise UsageError("--lab makes its own inventory; give either --lab or -i")
    from fleetrun.lab import Lab  # noqa: PLC0415 (needs subprocess, and most runs have no lab)

    with Lab(options.lab, rtt_s=options.rtt_s or 0.0) as lab:
        inventory = Inventory.load(lab.inventory, overrides=given)
        yield Selection(inventory=inventory, targets=targets(options))


def _overrides(
    options: FleetOptions, login: LoginOptions | None, become: BecomeOptions | None
) -> Overrides:
    """Return what was given on the command line and beats the inventory, secrets as `_LATER`."""
    policy = options.host_keys
    asks = login is not None and (login.ask_pass or login.password_file is not None)
    asks_for_sudo = become is not None and (
        become.ask_become_pass or become.become_password_file is not None
    )
    return Overrides(
        user=options.user,
        port=options.port,
        private_key=options.private_key,
        known_hosts=options.known_hosts or None,
        host_keys=None if policy is None else HostKeyPolicy(policy),
        connect_timeout_s=options.connect_timeout_s,
        command_timeout_s=options.command_timeout_s,
        legacy_algorithms=options.legacy_algorithms or None,
        ssh_config=options.ssh_config or ("none" if options.lab else None),
        password=_LATER if asks else None,
        become=None if become is None else become.become or None,
        become_user=None if become is None else become.become_user,
        become_password=_LATER if asks_for_sudo else None,
        variables=_variables(options.extra_vars),
    )


def targets(options: FleetOptions) -> Targets:
    """Return which hosts of the inventory are meant."""
    return Targets(
        hosts=options.hosts,
        limit=options.limit,
        exclude=options.exclude,
        where=options.where,
        pick=options.pick,
        seed=options.seed,
    )


def _loaded(options: FleetOptions, given: Overrides) -> Selection:
    """Load what is named; where nothing is, `-w` names the hosts themselves, as for pdsh."""
    chosen = targets(options)
    named = find_sources(options.inventory)
    if named is None and options.hosts is not None:
        inventory = Inventory.of(_names(options.hosts), overrides=given, origin="--hosts")
        return Selection(inventory=inventory, targets=replace(chosen, hosts=None))
    sources, origin = named or named_sources(options.inventory)
    inventory = Inventory.load(sources, overrides=given, origin=origin)
    for warning in inventory.warnings:
        note(f"warning: {warning}")
    return Selection(inventory=inventory, targets=chosen)


def _names(text: str) -> list[str]:
    names = split_words(text)
    for name in names:
        if name.startswith("@") or any(char in name for char in _SELECTING):
            raise UsageError(
                f"--hosts {name!r} selects from an inventory, and there is none: give one with -i"
            )
    return names


def _variables(given: Sequence[str]) -> dict[str, str]:
    """Take `NAME=VALUE` apart; of one name the last counts."""
    variables = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError("--extra-vars wants NAME=VALUE, and may be given several times")
        variables[name] = value
    return variables
