"""Waiting until a descriptor is ready, on every platform. Layer 0 of the road.

`poll` where there is one: `select` cannot take descriptors above 1023, of which a run over many
hosts has many. Windows has `select` alone, and no such bound there.
"""

from __future__ import annotations

import select
from collections.abc import Sequence

_HAS_POLL = hasattr(select, "poll")
_MAX_POLL_MS = 2**31 - 1
"""24 days; `poll` takes no more."""


def wait_ready(
    readers: Sequence[int], writers: Sequence[int] = (), *, timeout_s: float | None
) -> set[int]:
    """Return the descriptors that are ready to be read or written, or have failed.

    Waits timeout_s seconds at the most, for ever when it is None; returns an empty set then. A
    descriptor may stand in both lists.
    """
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
