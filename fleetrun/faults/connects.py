"""Connects that break what their process relies on, in whichever process they are called.

A `Connect` is pickled into worker processes, so what it breaks is broken there too: that is how a
test reaches a worker's resolver and clock, in every mode alike.

    with FaultyResolver(SshConnect(), {"web1": ("::1", "127.0.0.1")}) as connect:
        Fleet(hosts, connect=connect)

Leaving the `with` mends this process; a worker stays broken until it ends.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fleetrun.hosts import Host
from fleetrun.session import Cancel, Connect, OnPhase, Session

_real_getaddrinfo = socket.getaddrinfo
_real_time = time.time


@dataclass(frozen=True, slots=True)
class FaultyResolver:
    """A `Connect` in whose process some names resolve to what it says.

    Attributes:
        connect: what does the connecting.
        answers: addresses by name, IPv4 or IPv6 literals in the order in which they are tried; no
            addresses for a name means that it is not known.
        silent_s: seconds that the resolver takes to answer for any of these names.
    """

    connect: Connect
    answers: Mapping[str, tuple[str, ...]]
    silent_s: float = 0.0

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Break this process's resolver, and connect."""
        socket.getaddrinfo = self._resolve  # type: ignore[assignment]
        return self.connect(host, on_phase, cancel)

    def __enter__(self) -> Self:
        """Break nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give this process its resolver back."""
        socket.getaddrinfo = _real_getaddrinfo

    def _resolve(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002 (getaddrinfo's own name)
        proto: int = 0,
        flags: int = 0,
    ) -> Sequence[object]:
        if not isinstance(host, str) or host not in self.answers:
            return _real_getaddrinfo(host, port, family, type, proto, flags)
        time.sleep(self.silent_s)
        if not self.answers[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            info
            for address in self.answers[host]
            for info in _real_getaddrinfo(address, port, family, type, proto, flags)
        ]


@dataclass(frozen=True, slots=True)
class SteppingClock:
    """A `Connect` in whose process the wall clock leaps to and fro with each look at it.

    Attributes:
        connect: what does the connecting.
        step_s: how far the clock is off with every second look; negative for backwards.
    """

    connect: Connect
    step_s: float = 86_400.0

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Let this process's wall clock leap, and connect."""
        steps = itertools.cycle((0.0, self.step_s))
        time.time = lambda: _real_time() + next(steps)
        return self.connect(host, on_phase, cancel)

    def __enter__(self) -> Self:
        """Break nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give this process its clock back."""
        time.time = _real_time


@dataclass(frozen=True, slots=True)
class FullDisk:
    """A `Connect` in whose process no file can grow beyond a size, as on a disk that is full.

    Attributes:
        connect: what does the connecting.
        file_bytes: the size; what is beyond it is not written (`EFBIG`, setrlimit(2)).
    """

    connect: Connect
    file_bytes: int

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        """Fill this process's disk, and connect."""
        import resource  # noqa: PLC0415 (not on Windows)

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_bytes, hard))
        return self.connect(host, on_phase, cancel)

    def __enter__(self) -> Self:
        """Break nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give this process its disk back."""
        import resource  # noqa: PLC0415

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
