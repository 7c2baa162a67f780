"""From an address to a connected socket: look it up, try every address, keep to the budget."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import threading
import time

from fleetrun.errors import Cancelled, ConnectError, DeadlinePassed
from fleetrun.hosts import Host
from fleetrun.readiness import wait_ready
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.wire import Deadline

_Address = tuple[socket.AddressFamily, tuple[object, ...]]

_MAX_LOOKUPS = 64
"""Look-ups at once in a process, those included that were given up and have not ended: a resolver
that never answers costs so many threads and no more."""

_LOOKUPS = threading.Semaphore(_MAX_LOOKUPS)
_LOOK_S = 0.1

_LEAST_SHARE_S = 0.25
"""What an address gets at least: the connection attempt delay of RFC 8305, section 5."""


def dial(host: Host, on_phase: OnPhase, deadline: Deadline, cancel: Cancel) -> socket.socket:
    """Return a socket connected to the host; the caller closes it.

    The addresses are tried in the system's order. Each gets an equal share of what is left of the
    budget, so that a dead one cannot cost the next its chance. Raises `ConnectError` when all of
    them refuse, `DeadlinePassed` or `Cancelled`.
    """
    on_phase(Phase.RESOLVE)
    addresses = _resolve(host, deadline, cancel)
    on_phase(Phase.CONNECT)
    problems: list[str] = []
    for position, address in enumerate(addresses):
        share = max(_LEAST_SHARE_S, deadline.remaining_s / (len(addresses) - position))
        until_s = min(deadline.at_s, time.monotonic() + share)
        try:
            return _connect_one(address, until_s, cancel)
        except OSError as error:
            problems.append(f"{_shown(address)}: {_reason(error)}")
    if deadline.remaining_s <= 0:
        raise DeadlinePassed(f"{deadline.sentence} ({'; '.join(problems)})")
    raise ConnectError("; ".join(problems))


def _resolve(host: Host, deadline: Deadline, cancel: Cancel) -> list[_Address]:
    literal = _literal(host)
    if literal is not None:
        return [literal]
    try:
        host.address.encode("idna")
    except UnicodeError as error:  # gevent would print a traceback of its own for it
        raise ConnectError(f"cannot resolve {host.address}: it is no possible name") from error
    return _Lookup(host.address, host.port).wait(deadline, cancel)


def _literal(host: Host) -> _Address | None:
    """Return the address itself when it is numeric: no look-up and no thread for it."""
    try:
        address = ipaddress.ip_address(host.address)
    except ValueError:
        return None
    if address.version == 4:  # noqa: PLR2004 (IPv4)
        return socket.AF_INET, (str(address), host.port)
    if address.scope_id:  # only getaddrinfo knows an interface's number
        return None
    return socket.AF_INET6, (str(address), host.port, 0, 0)


class _Lookup(threading.Thread):
    """One `getaddrinfo`, which has no timeout of its own and may take a minute.

    When its caller's deadline passes, the thread is left to end by itself (it is a daemon), and
    the answer is thrown away. It has its place among the look-ups until then.
    """

    def __init__(self, address: str, port: int) -> None:
        super().__init__(name=f"resolve {address}", daemon=True)
        self._address = address
        self._port = port
        self._found: list[_Address] = []
        self._error: OSError | None = None

    def run(self) -> None:
        try:
            self._look_up()
        finally:
            _LOOKUPS.release()

    def _look_up(self) -> None:
        try:
            infos = socket.getaddrinfo(self._address, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            self._error = error
            return
        self._found = [(family, sockaddr) for family, _, _, _, sockaddr in infos]

    def wait(self, deadline: Deadline, cancel: Cancel) -> list[_Address]:
        self._begin(deadline, cancel)
        while self.is_alive() and deadline.remaining_s > 0 and not cancel.pressed:
            self.join(_pause_s(deadline))
        if cancel.pressed:
            raise Cancelled("cancelled while its name was looked up")
        if self.is_alive():
            raise DeadlinePassed(f"{deadline.sentence} (the resolver did not answer)")
        if self._error is not None or not self._found:
            reason = self._error.strerror or str(self._error) if self._error else "no address"
            raise ConnectError(f"cannot resolve {self._address}: {reason}")
        return self._found

    def _begin(self, deadline: Deadline, cancel: Cancel) -> None:
        """Start once there is a place for it."""
        while not _LOOKUPS.acquire(timeout=_pause_s(deadline)):
            if cancel.pressed:
                raise Cancelled("cancelled while it waited for its name to be looked up")
            if deadline.remaining_s <= 0:
                raise DeadlinePassed(
                    f"{deadline.sentence} (the resolver did not answer for {_MAX_LOOKUPS} others)"
                )
        try:
            self.start()
        except RuntimeError as error:  # no thread is to be had
            _LOOKUPS.release()
            raise ConnectError(f"cannot resolve {self._address}: {error}") from error


def _pause_s(deadline: Deadline) -> float:
    """Return how long to wait before the stop button is looked at again."""
    return min(_LOOK_S, max(0.0, deadline.remaining_s))


def _connect_one(address: _Address, until_s: float, cancel: Cancel) -> socket.socket:
    """Connect within the time, or raise `OSError` (`ETIMEDOUT` when the time was up)."""
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _connect(sock, where, until_s, cancel)
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise
    return sock


def _connect(
    sock: socket.socket, where: tuple[object, ...], until_s: float, cancel: Cancel
) -> None:
    code = sock.connect_ex(where)
    if code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
        _wait_connected(sock, until_s, cancel)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _wait_connected(sock: socket.socket, until_s: float, cancel: Cancel) -> None:
    ready = wait_ready([cancel.fileno()], [sock.fileno()], timeout_s=until_s - time.monotonic())
    if cancel.pressed:
        raise Cancelled("cancelled while it was being connected to")
    if not ready:
        raise OSError(errno.ETIMEDOUT, "no answer")


def _shown(address: _Address) -> str:
    _, where = address
    name, port = str(where[0]), where[1]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
