"""The keys that hosts show, how they stand to what is known of them, and writing them down.

    Fleet of SshScan ─► ScanKeys ─► Report ─► KeyScan ─► somebody looks ─► write_keys
                                                 known_hosts ◄───────────────┘

Layer 7 of the road: made of a fleet, and shown by the command line.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from fleetrun.events import Finished
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.operations import ScanKeys
from fleetrun.results import Report
from fleetrun.ssh.hostkeys import (
    Standing,
    Verdict,
    add_host_key,
    judge_all,
    read_scanned_keys,
    replace_host_keys,
)
from fleetrun.ssh.known_hosts import HostKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """One key that a host shows, and how it stands to what is known of the host."""

    key: HostKey
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedHost:
    """A host that was reached, and all the keys that it shows, its favourite first."""

    host: Host
    keys: tuple[ShownKey, ...]

    def shows(self, *standings: Standing) -> bool:
        """Tell whether one of its keys has one of the standings."""
        return any(shown.verdict.standing in standings for shown in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyScan:
    """What a fleet showed.

    Attributes:
        hosts: those that could be reached, in the fleet's order.
        report: one result for each host of the fleet; `ok` where the keys were collected.
    """

    hosts: tuple[ScannedHost, ...]
    report: Report

    def to_write(self, replace: Collection[str] = ()) -> tuple[ScannedHost, ...]:
        """Return the hosts that show a new key, or, where named in replace, a changed one.

        Nothing is written of a host that shows a revoked key, nor of one that shows a changed key
        and is not named: who is in between may show new ones beside it.
        """
        refused = {scanned.host.name for scanned in self.refused(replace)}
        return tuple(
            scanned
            for scanned in self.hosts
            if scanned.shows(Standing.NEW, Standing.CHANGED) and scanned.host.name not in refused
        )

    def refused(self, replace: Collection[str] = ()) -> tuple[ScannedHost, ...]:
        """Return the hosts whose keys are changed or revoked, and that replace does not help."""
        return tuple(
            scanned
            for scanned in self.hosts
            if scanned.shows(Standing.REVOKED)
            or (scanned.shows(Standing.CHANGED) and scanned.host.name not in replace)
        )


def scan_keys(fleet: Fleet) -> KeyScan:
    """Collect the keys of every host, without logging in, and judge them; nothing is written.

    The fleet's sessions must show host keys: `Fleet(hosts, connect=SshScan())`. It is worked on as
    for any operation: in its mode, and ended by `fleet.cancel`.

    Raises `HostKeyError` when a known_hosts file is there and cannot be read.
    """
    began_at_s = time.monotonic()
    results = [event.result for event in fleet.events(ScanKeys()) if isinstance(event, Finished)]
    report = Report.of(
        [host.name for host in fleet.hosts], results, wall_seconds=time.monotonic() - began_at_s
    )
    return KeyScan(hosts=tuple(_scanned(fleet.hosts, report)), report=report)


def _scanned(hosts: Sequence[Host], report: Report) -> Iterator[ScannedHost]:
    for host, result in zip(hosts, report, strict=True):
        if result.ok:
            keys = read_scanned_keys(result.stdout)
            shown = zip(keys, judge_all(host, keys), strict=True)
            yield ScannedHost(
                host=host, keys=tuple(ShownKey(key=key, verdict=verdict) for key, verdict in shown)
            )


def write_keys(scanned: ScannedHost, *, replace: bool = False) -> None:
    """Write the host's new keys to its first known_hosts file.

    With replace, all the keys that it shows take the place of those that the file has of it.

    Raises `HostKeyError` when the file cannot be written, or says otherwise of the host by now.
    """
    if replace:
        replace_host_keys(scanned.host, [shown.key for shown in scanned.keys])
        return
    for shown in scanned.keys:
        if shown.verdict.standing is Standing.NEW:
            add_host_key(scanned.host, shown.key, beside_others=True)
