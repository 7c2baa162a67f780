"""From options to a fleet: which inventory, which lab, which log. Closes what it opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fleetrun.cli.asking import with_passphrases, with_secrets
from fleetrun.cli.debug_log import debug_log
from fleetrun.cli.login_options import LoginOptions
from fleetrun.cli.options import FleetOptions, RunOptions
from fleetrun.cli.source import named_source
from fleetrun.errors import UsageError
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host, HostKeyPolicy
from fleetrun.inventory import Inventory, Overrides


@contextlib.contextmanager
def opened_fleet(options: FleetOptions, login: LoginOptions, run: RunOptions) -> Iterator[Fleet]:
    """Yield the fleet that was asked for; ends its lab, if it has one, and its debug log.

    Raises `UsageError` when the options name no fleet that could be worked on.
    """
    with (
        opened_hosts(options, login, run.debug_log) as hosts,
        Fleet(hosts, mode=run.mode, forks=run.forks, retries=run.retries) as fleet,
    ):
        yield fleet


@contextlib.contextmanager
def opened_hosts(
    options: FleetOptions, login: LoginOptions, log_file: str | None
) -> Iterator[tuple[Host, ...]]:
    """Yield the selected hosts, with all the secrets that they need; as `opened_fleet` does."""
    with debug_log(log_file), opened_source(options) as source:
        inventory = Inventory.load(source, overrides=overrides(options, login))
        yield with_passphrases(inventory.select(options.limit), login)


@contextlib.contextmanager
def opened_source(options: FleetOptions) -> Iterator[str | Path]:
    """Yield the inventory to load, after starting the lab when one was asked for."""
    if options.lab is None:
        if options.rtt_s is not None:
            raise UsageError("--rtt is the round trip to the hosts of --lab, which was not given")
        yield named_source(options.inventory)
        return
    if options.inventory is not None:
        raise UsageError("--lab makes its own inventory; give either --lab or -i")
    from fleetrun.lab import Lab  # noqa: PLC0415 (needs subprocess, and most runs have no lab)

    with Lab(options.lab, rtt_s=options.rtt_s or 0.0) as lab:
        yield lab.inventory


def overrides(options: FleetOptions, login: LoginOptions | None = None) -> Overrides:
    """Return what was given on the command line and beats the inventory; asks for passwords."""
    policy = options.host_keys
    given = Overrides(
        user=options.user,
        port=options.port,
        private_key=options.private_key,
        known_hosts=options.known_hosts or None,
        host_keys=None if policy is None else HostKeyPolicy(policy),
        connect_timeout_s=options.connect_timeout_s,
        command_timeout_s=options.command_timeout_s,
    )
    return given if login is None else with_secrets(given, login)
