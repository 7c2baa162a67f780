"""From options to a fleet: which inventory, which lab, which log. Closes what it opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fleetrun.cli.debug_log import debug_log
from fleetrun.cli.options import FleetOptions, RunOptions
from fleetrun.cli.source import named_source
from fleetrun.errors import UsageError
from fleetrun.fleet import Fleet
from fleetrun.hosts import HostKeyPolicy
from fleetrun.inventory import Overrides


@contextlib.contextmanager
def opened_fleet(options: FleetOptions, run: RunOptions) -> Iterator[Fleet]:
    """Yield the fleet that was asked for; ends its lab, if it has one, and its debug log.

    Raises `UsageError` when the options name no fleet that could be worked on.
    """
    with (
        debug_log(run.debug_log),
        opened_source(options) as source,
        Fleet.from_inventory(
            source,
            limit=options.limit,
            mode=run.mode,
            forks=run.forks,
            overrides=overrides(options),
        ) as fleet,
    ):
        yield fleet


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


def overrides(options: FleetOptions) -> Overrides:
    """Return what was given on the command line and beats the inventory."""
    policy = options.host_keys
    return Overrides(
        user=options.user,
        port=options.port,
        private_key=options.private_key,
        known_hosts=options.known_hosts or None,
        host_keys=None if policy is None else HostKeyPolicy(policy),
        connect_timeout_s=options.connect_timeout_s,
        command_timeout_s=options.command_timeout_s,
    )
