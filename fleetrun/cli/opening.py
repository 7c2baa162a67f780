"""From options to a fleet: which inventory, which lab, which log. Closes what it opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleetrun.cli.asking import with_become_secret, with_login_secrets
from fleetrun.cli.cluster import opened_mode
from fleetrun.cli.debug_log import debug_log
from fleetrun.cli.login_options import BecomeOptions, LoginOptions
from fleetrun.cli.options import FleetOptions, RunOptions
from fleetrun.cli.selection import opened_selection
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host, KeysFrom
from fleetrun.session import Connect
from fleetrun.ssh import SshScan

if TYPE_CHECKING:
    from fleetrun.executors.cluster import Dask  # few runs need it


@contextlib.contextmanager
def opened_fleet(
    options: FleetOptions,
    login: LoginOptions,
    run: RunOptions,
    become: BecomeOptions | None = None,
) -> Iterator[Fleet]:
    """Yield the fleet that was asked for; ends its lab, if it has one, and its debug log.

    Raises `UsageError` when the options name no fleet that could be worked on.
    """
    keys_are_here = run.scheduler is None or run.keys_from is KeysFrom.OPERATOR
    with (
        opened_hosts(options, login, run.debug_log, become, keys_are_here=keys_are_here) as hosts,
        opened_mode(run) as mode,
        _fleet(hosts, run, mode) as fleet,
    ):
        yield fleet


@contextlib.contextmanager
def opened_hosts(
    options: FleetOptions,
    login: LoginOptions,
    log_file: str | None,
    become: BecomeOptions | None = None,
    *,
    keys_are_here: bool = True,
) -> Iterator[tuple[Host, ...]]:
    """Yield the selected hosts, with all the secrets that they need; as `opened_fleet` does.

    Nobody is asked for a secret before the inventory and the selection have proved right.
    """
    with debug_log(log_file), opened_selection(options, login, become) as selection:
        hosts = with_login_secrets(selection.hosts(), login, keys_are_here=keys_are_here)
        yield hosts if become is None else with_become_secret(hosts, become)


@contextlib.contextmanager
def scanning_fleet(options: FleetOptions, run: RunOptions) -> Iterator[Fleet]:
    """Yield a fleet that only looks at its hosts' keys; as `opened_fleet` does."""
    with (
        debug_log(run.debug_log),
        opened_selection(options) as selection,
        opened_mode(run) as mode,
        _fleet(selection.hosts(), run, mode, connect=SshScan()) as fleet,
    ):
        yield fleet


def _fleet(
    hosts: tuple[Host, ...], run: RunOptions, mode: str | Dask, connect: Connect | None = None
) -> Fleet:
    return Fleet(
        hosts,
        mode=mode,
        forks=run.forks,
        carrier=run.carrier,
        retries=run.retries,
        max_fail=run.max_fail,
        max_unreachable=run.max_unreachable,
        max_sessions=0,  # one call, and nothing after it
        connect=connect,
    )
