"""From a host to a logged-in session, step by step, each under its deadline.

meet: way ─► open ─► handshake ─► go on: host key ─► login ─► SshSession
             resolve, connect    banner, kex        hostkey    auth

The way may lead through jump hosts, each of which is logged in to in the same way first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from fleetrun.errors import Cancelled, HostKeyError
from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.gate import GATE
from fleetrun.ssh.hostkeys import check_host_key, host_key_of, offered_key_types
from fleetrun.ssh.login import log_in
from fleetrun.ssh.session import SshSession
from fleetrun.ssh.transport import Transport, TurnedAway, host_key_algorithms
from fleetrun.ssh.way import way_to
from fleetrun.ssh.wire import Deadline, Wire

_T = TypeVar("_T")

_PAUSE_S = (0.1, 1.0)
"""Between two tries of a server that turned us away because it was busy; random, so that those
who were turned away together do not come back together."""


def connect(
    host: Host,
    on_phase: OnPhase,
    cancel: Cancel,
    *,
    alive_interval_s: float | None = None,
    alive_count: int | None = None,
) -> SshSession:
    """Connect and log in to the host; the caller closes the session.

    From then on a host that says nothing for alive_interval_s seconds is asked for a sign of life,
    and given up after alive_count questions; None means what the host says of it.

    Raises what `fleetrun.session.Connect` says. No credential is sent before the host's key has
    been checked.
    """
    transport, wire = log_in_to(host, on_phase, cancel)
    watched_s = host.alive_interval_s if alive_interval_s is None else alive_interval_s
    transport.watch_for_silence(watched_s, alive_count or host.alive_count)
    return SshSession(transport, wire, on_phase, login_timeout_s=host.login_timeout_s)


def log_in_to(host: Host, on_phase: OnPhase, cancel: Cancel) -> tuple[Transport, Wire]:
    """Connect and log in to the host, by way of its jump hosts if it has any.

    Raises what `fleetrun.session.Connect` says. The caller closes the transport.
    """

    def go_on(transport: Transport, wire: Wire) -> tuple[Transport, Wire]:
        on_phase(Phase.HOSTKEY)
        check_host_key(host, host_key_of(transport.host_key_blob))
        on_phase(Phase.AUTH)
        wire.deadline = Deadline.after(
            host.login_timeout_s, f"not logged in within {host.login_timeout_s:g} s"
        )
        log_in(transport, host)
        return transport, wire

    supported = host_key_algorithms(legacy_algorithms=host.legacy_algorithms)
    try:
        key_types = offered_key_types(host, supported)
    except HostKeyError:  # a known_hosts file cannot be read: it would fail there anyway
        on_phase(Phase.HOSTKEY)
        raise
    return meet(host, key_types, on_phase, cancel, go_on)


def meet(
    host: Host,
    key_types: Sequence[str],
    on_phase: OnPhase,
    cancel: Cancel,
    go_on: Callable[[Transport, Wire], _T],
) -> _T:
    """Reach the host, agree on keys, and go on with the connection; return what that returns.

    The host's place among the handshakes is held until then. A host that turns us away because it
    is busy is asked again, as long as there is time. The connection is closed if go_on raises.
    """
    with way_to(host, on_phase, cancel, log_in_to) as way:
        deadline = Deadline.after(
            host.connect_timeout_s,
            f"not connected within {host.connect_timeout_s:g} s (-T, --connect-timeout)",
        )
        address = (f"{host.address} {way.label}", host.port)
        while True:
            with GATE.place(address, deadline, cancel), way.place(deadline, cancel):
                wire = Wire(
                    way.open(host, on_phase, deadline, cancel), deadline=deadline, cancel=cancel
                )
                try:
                    transport = Transport(
                        wire, key_types=key_types, legacy_algorithms=host.legacy_algorithms
                    )
                    transport.handshake(on_phase)
                    return go_on(transport, wire)
                except TurnedAway as error:
                    wire.close()
                    if not (error.overloaded or GATE.crowded(address)):
                        raise
                    refusal = error
                except BaseException:
                    wire.close()
                    raise
            GATE.narrow(address)
            _pause(refusal, deadline, cancel)


def _pause(refusal: TurnedAway, deadline: Deadline, cancel: Cancel) -> None:
    """Wait a random while before the next try, or raise the refusal when there is no time left."""
    pause_s = random.uniform(*_PAUSE_S)  # noqa: S311 (spreading load, not keeping secrets)
    if deadline.remaining_s < pause_s:
        raise refusal
    if cancel.wait(pause_s):
        raise Cancelled("cancelled while it waited for another try")
