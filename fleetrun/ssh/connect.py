"""From a host to a logged-in session, step by step, each under its deadline.

dial ─► handshake ─► host key ─► login ─► SshSession
resolve, connect   banner, kex   hostkey     auth
"""

from __future__ import annotations

import random

from fleetrun.errors import Cancelled
from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.dial import dial
from fleetrun.ssh.gate import GATE
from fleetrun.ssh.hostkeys import check_host_key, host_key_of, offered_key_types
from fleetrun.ssh.login import log_in
from fleetrun.ssh.session import SshSession
from fleetrun.ssh.transport import Transport, TurnedAway, host_key_algorithms
from fleetrun.ssh.wire import Deadline, Wire

_PAUSE_S = (0.1, 1.0)
"""Between two tries of a server that turned us away because it was busy; random, so that those
who were turned away together do not come back together."""

_ALIVE_INTERVAL_S = 15.0
_ALIVE_COUNT = 3
"""A dead peer is noticed within 45 s: ssh_config(5)'s ServerAliveCountMax, and an interval."""


def connect(host: Host, on_phase: OnPhase, cancel: Cancel) -> SshSession:
    """Connect and log in to the host; the caller closes the session.

    Raises what `fleetrun.session.Connect` says. No credential is sent before the host's key has
    been checked.
    """
    deadline = Deadline.after(
        host.connect_timeout_s,
        f"not connected within {host.connect_timeout_s:g} s (-T, --connect-timeout)",
    )
    address = (host.address, host.port)
    while True:
        with GATE.place(address, deadline, cancel):
            try:
                return _connect_once(host, on_phase, deadline, cancel)
            except TurnedAway as error:
                if not (error.overloaded or GATE.crowded(address)):
                    raise
                refusal = error
        GATE.narrow(address)
        _pause(refusal, deadline, cancel)


def _pause(refusal: TurnedAway, deadline: Deadline, cancel: Cancel) -> None:
    """Wait a random while before the next try, or raise the refusal when there is no time left."""
    pause_s = random.uniform(*_PAUSE_S)  # noqa: S311 (spreading load, not keeping secrets)
    if deadline.remaining_s < pause_s:
        raise refusal
    if cancel.wait(pause_s):
        raise Cancelled("cancelled while it waited for another try")


def _connect_once(host: Host, on_phase: OnPhase, deadline: Deadline, cancel: Cancel) -> SshSession:
    wire = Wire(dial(host, on_phase, deadline, cancel), deadline=deadline, cancel=cancel)
    try:
        return _log_in_over(wire, host, on_phase)
    except BaseException:
        wire.close()
        raise


def _log_in_over(wire: Wire, host: Host, on_phase: OnPhase) -> SshSession:
    transport = Transport(wire, key_types=offered_key_types(host, host_key_algorithms()))
    transport.handshake(on_phase)
    on_phase(Phase.HOSTKEY)
    check_host_key(host, host_key_of(transport.host_key_blob))
    on_phase(Phase.AUTH)
    wire.deadline = Deadline.after(
        host.login_timeout_s, f"not logged in within {host.login_timeout_s:g} s"
    )
    log_in(transport, host)
    transport.watch_for_silence(_ALIVE_INTERVAL_S, _ALIVE_COUNT)
    return SshSession(transport, wire, on_phase)
