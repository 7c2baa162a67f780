"""How a host is reached: directly, through jump hosts, or by a command of ssh_config's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.bastion import Bastion
from fleetrun.ssh.bastions import BASTIONS, LogIn
from fleetrun.ssh.dial import dial
from fleetrun.ssh.gate import GATE
from fleetrun.ssh.hops import hops_to, last_hop
from fleetrun.ssh.proxy_command import ProxyCommand, start_proxy_command
from fleetrun.ssh.wire import Deadline, Link


class Way(Protocol):
    """A way to a host, along which several connections may be made one after another."""

    @property
    def label(self) -> str:
        """Where it leads through; empty for nowhere. An address behind it is not that one here."""

    def place(self, deadline: Deadline, cancel: Cancel) -> AbstractContextManager[None]:
        """Hold one of its places for handshakes; as `fleetrun.ssh.gate.Gate.place`."""

    def open(self, host: Host, on_phase: OnPhase, deadline: Deadline, cancel: Cancel) -> Link:
        """Connect to the host; the caller closes the link."""


class Directly:
    """A TCP connection from here."""

    label = ""

    def place(self, deadline: Deadline, cancel: Cancel) -> AbstractContextManager[None]:  # noqa: ARG002
        """Hold nothing: the host's own places are enough."""
        return nullcontext()

    def open(self, host: Host, on_phase: OnPhase, deadline: Deadline, cancel: Cancel) -> Link:
        """Look the address up and dial it."""
        return dial(host, on_phase, deadline, cancel)


@dataclass(frozen=True, slots=True)
class Through:
    """A tunnel through a jump host that is logged in to."""

    bastion: Bastion

    @property
    def label(self) -> str:
        """The jump host, as far as it can be told from others."""
        hop = self.bastion.host
        return f"{hop.user}@{hop.address}:{hop.port}"

    def place(self, deadline: Deadline, cancel: Cancel) -> AbstractContextManager[None]:
        """Hold one of the jump host's places."""
        return GATE.place((f"through {self.label}", self.bastion.host.port), deadline, cancel)

    def open(self, host: Host, on_phase: OnPhase, deadline: Deadline, cancel: Cancel) -> Link:
        """Have the jump host look the address up and connect."""
        on_phase(Phase.CONNECT)
        return self.bastion.open(host, deadline, cancel)


class ByCommand:
    """A program of the user's that is the connection."""

    label = ""

    def place(self, deadline: Deadline, cancel: Cancel) -> AbstractContextManager[None]:  # noqa: ARG002
        """Hold nothing: the host's own places are enough."""
        return nullcontext()

    def open(
        self,
        host: Host,
        on_phase: OnPhase,
        deadline: Deadline,  # noqa: ARG002 (what follows keeps it)
        cancel: Cancel,  # noqa: ARG002
    ) -> ProxyCommand:
        """Start the program."""
        on_phase(Phase.CONNECT)
        return start_proxy_command(host.proxy_command or "")


@contextmanager
def way_to(host: Host, on_phase: OnPhase, cancel: Cancel, log_in: LogIn) -> Iterator[Way]:
    """Yield the way to a host, its jump hosts logged in to.

    Raises what `fleetrun.session.Connect` says, about the jump host at which it ended.
    """
    if host.proxy_command is not None:
        yield ByCommand()
        return
    hop = last_hop(host)
    if hop is None:
        yield Directly()
        return
    on_phase(Phase.RESOLVE)
    hops_to(host)  # a circle would have us log in for ever
    with BASTIONS.held(hop, on_phase, cancel, log_in) as bastion:
        yield Through(bastion)
