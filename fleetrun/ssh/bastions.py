"""All bastions of this process: each jump host is logged in to once, whoever comes first."""

from __future__ import annotations

import atexit
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fleetrun.errors import (
    AuthError,
    Cancelled,
    ConnectError,
    ConnectionLost,
    DeadlinePassed,
    HostKeyError,
    SessionError,
)
from fleetrun.hosts import DEFAULT_CONNECT_TIMEOUT_S, DEFAULT_LOGIN_TIMEOUT_S, Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.bastion import Bastion
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.wire import Wire

REMEMBERED_S = 10.0
"""How long a jump host that could not be logged in to is not asked again: the hosts behind it that
come after would wait for the same, and every refused login brings a lock-out nearer."""

_LOOK_S = 0.1

LogIn = Callable[[Host, OnPhase, Cancel], tuple[Transport, Wire]]
"""Connects to a host, itself by way of others if need be, and logs in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """Why a jump host could not be logged in to, in which phase, and when."""

    error: SessionError
    phase: Phase
    at_s: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.at_s + REMEMBERED_S


class _LoggingIn:
    """Somebody is at it."""


class Bastions:
    """The bastions by jump host. Shared by all threads of a process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._known: dict[Host, Bastion | _Failure | _LoggingIn] = {}

    @contextmanager
    def held(
        self, hop: Host, on_phase: OnPhase, cancel: Cancel, log_in: LogIn
    ) -> Iterator[Bastion]:
        """Yield the bastion for a jump host, which stays for as long as it is held.

        Whoever comes first logs in, with its own phases; the others wait for that. Raises what
        `fleetrun.session.Connect` says, the sentence beginning with the way (`via bastion: …`).
        """
        bastion = self._acquire(hop, on_phase, cancel, log_in)
        try:
            yield bastion
        finally:
            bastion.release()

    def close(self) -> None:
        """End all of them, and what is behind them."""
        with self._changed:
            known = list(self._known.values())
            self._known.clear()
        for bastion in known:
            if isinstance(bastion, Bastion):
                bastion.close()

    def _acquire(self, hop: Host, on_phase: OnPhase, cancel: Cancel, log_in: LogIn) -> Bastion:
        key = _key(hop)
        while True:
            with self._changed:
                known = self._known.get(key)
                if isinstance(known, Bastion) and known.hold():
                    return known
                if not isinstance(known, _LoggingIn) and not _is_fresh(known):
                    self._known[key] = _LoggingIn()
                    break
                if isinstance(known, _Failure):
                    on_phase(known.phase)
                    raise _same(known.error, str(known.error))
                on_phase(Phase.CONNECT)
                self._wait_for_other(key, cancel)
        return self._log_in(key, hop, on_phase, cancel, log_in)

    def _wait_for_other(self, key: Host, cancel: Cancel) -> None:
        """Wait, within the lock, until whoever logs in has done so or failed."""
        while isinstance(self._known.get(key), _LoggingIn):
            if cancel.pressed:
                raise Cancelled("cancelled while the jump host was logged in to")
            self._changed.wait(_LOOK_S)

    def _log_in(
        self, key: Host, hop: Host, on_phase: OnPhase, cancel: Cancel, log_in: LogIn
    ) -> Bastion:
        reached = [Phase.RESOLVE]

        def note(phase: Phase) -> None:
            reached.append(phase)
            on_phase(phase)

        outcome: Bastion | _Failure | None = None
        try:
            transport, wire = log_in(hop, note, cancel)
            outcome = Bastion(hop, transport, wire)
            outcome.hold()
            outcome.start()
        except Cancelled:  # that run is over; another one may try
            raise
        except SessionError as error:
            ours = _same(error, _via(hop, reached[-1], error))
            outcome = _Failure(error=ours, phase=reached[-1], at_s=time.monotonic())
            raise ours from error
        finally:
            self._settle(key, outcome)
        return outcome

    def _settle(self, key: Host, outcome: Bastion | _Failure | None) -> None:
        with self._changed:
            if outcome is None:
                self._known.pop(key, None)
            else:
                self._known[key] = outcome
            self._changed.notify_all()


def _key(hop: Host) -> Host:
    """Return what makes two jump hosts the same: all but the time that they may take."""
    return dataclasses.replace(
        hop,
        connect_timeout_s=DEFAULT_CONNECT_TIMEOUT_S,
        login_timeout_s=DEFAULT_LOGIN_TIMEOUT_S,
    )


def _is_fresh(known: Bastion | _Failure | _LoggingIn | None) -> bool:
    return isinstance(known, _Failure) and known.fresh


def _via(hop: Host, phase: Phase, error: SessionError) -> str:
    """Say where on the way it ended; a jump host before this one has said so already."""
    said = str(error)
    return said if said.startswith("via ") else f"via {hop.name}: {phase}: {said}"


def _same(error: SessionError, sentence: str) -> SessionError:
    """Return an error of the same kind with another sentence: the kind says what may be tried."""
    for kind in (AuthError, HostKeyError, DeadlinePassed, ConnectionLost):
        if isinstance(error, kind):
            return kind(sentence)
    return ConnectError(sentence)


BASTIONS = Bastions()
atexit.register(BASTIONS.close)
