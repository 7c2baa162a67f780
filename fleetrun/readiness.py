"""Waiting until a descriptor is ready, on every platform. Layer 0 of the road.

`poll` where there is one: `select` cannot take descriptors above 1023, of which a run over many
hosts has many. Windows has `select` alone, and no such bound there.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Sequence
from typing import Any

_READ, _WRITE = 1, 2
"""What libev and libuv call them, as gevent passes it on."""

_HAS_POLL = hasattr(select, "poll")
IN_GREENLETS = "gevent.monkey" in sys.modules and (
    sys.modules["gevent.monkey"].is_module_patched("select")
)
"""Whether this is a worker whose waits switch greenlets; it was patched before this import."""

_MAX_POLL_MS = 2**31 - 1
"""24 days; `poll` takes no more."""


def wait_ready(
    readers: Sequence[int], writers: Sequence[int] = (), *, timeout_s: float | None
) -> set[int]:
    """Return the descriptors that are ready to be read or written, or have failed.

    Waits timeout_s seconds at the most, for ever when it is None; returns an empty set then. A
    descriptor may stand in both lists.
    """
    if IN_GREENLETS:
        return _wait_in_greenlet(readers, writers, timeout_s)
    if not _HAS_POLL:
        readable, writable, failed = select.select(
            readers, writers, [*readers, *writers], None if timeout_s is None else max(0, timeout_s)
        )
        return {*readable, *writable, *failed}
    events: dict[int, int] = {}
    for descriptor in readers:
        events[descriptor] = select.POLLIN
    for descriptor in writers:
        events[descriptor] = events.get(descriptor, 0) | select.POLLOUT
    poll = select.poll()
    for descriptor, wanted in events.items():
        poll.register(descriptor, wanted)
    # a millisecond more than asked for, since poll rounds down and would wake too early
    timeout_ms = None if timeout_s is None else min(max(0.0, timeout_s) * 1000 + 1, _MAX_POLL_MS)
    return {descriptor for descriptor, _ in poll.poll(timeout_ms)}


def _wait_in_greenlet(
    readers: Sequence[int], writers: Sequence[int], timeout_s: float | None
) -> set[int]:
    """Switch to other greenlets meanwhile; tells the first descriptor that is ready, and no other.

    gevent's own `poll` does the same with four more objects a wait, and a wait is what a greenlet
    does most (measured: 7 % of a login's processor time).
    """
    from gevent import get_hub  # noqa: PLC0415 (only in a worker that has it)
    from gevent.hub import Waiter  # noqa: PLC0415

    hub = get_hub()
    loop, waiter = hub.loop, Waiter(hub)
    watchers: list[tuple[Any, int | None]] = [(loop.io(fd, _READ), fd) for fd in readers]
    watchers += [(loop.io(fd, _WRITE), fd) for fd in writers]
    if timeout_s is not None:
        watchers.append((loop.timer(max(0.0, timeout_s)), None))
    try:
        for watcher, fd in watchers:
            watcher.start(waiter.switch, fd)
        ready = waiter.get()
    finally:
        for watcher, _ in watchers:
            watcher.stop()
            watcher.close()
    return set() if ready is None else {ready}
