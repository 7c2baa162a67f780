"""The I/O models: each reads all sources to their ends, in the calling thread.

blocking     read one to its end, then the next      suspended in recv
polling      ask each in turn, again and again       never suspended (or by a pause)
select, …    ask the kernel which are ready          suspended in one call for all
signals      be interrupted when any is ready        suspended in sigwait
asyncio      callbacks from an event loop            suspended in the loop's selector
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fleetrun.compare.reading.calls import SystemCalls
from fleetrun.compare.reading.sources import Source

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

_POLL_PAUSE_S = 0.01
_SIGNAL_WITHIN_S = 1.0
"""A signal that came before it was waited for stays pending, so this is never waited out in order
to go on; it is for a reader whose peer has died."""

_SET_OWNER_EX, _OWNER_IS_THREAD = 15, 0
"""F_SETOWN_EX and F_OWNER_TID of Linux's fcntl.h, which the module fcntl does not name."""

Model = Callable[[Sequence[Source], SystemCalls], None]


class Unavailable(Exception):
    """This system has no such model, or not for so many; the message says why, as a clause."""


def blocking(sources: Sequence[Source], calls: SystemCalls) -> None:
    """Read one after another, suspended until each has said all."""
    for source in sources:
        source.sock.setblocking(True)
        while not source.take(calls.recv(source.sock) or b""):
            pass


def polling(pause_s: float, sources: Sequence[Source], calls: SystemCalls) -> None:
    """Ask each in turn whether it has something, and begin again, after a pause or at once."""
    waiting = _not_blocking(sources)
    while waiting:
        waiting = [source for source in waiting if not _over(source, calls)]
        if pause_s and waiting:
            calls.note("sleep")
            time.sleep(pause_s)


def multiplexing(kind: str, sources: Sequence[Source], calls: SystemCalls) -> None:
    """Wait for all in one call of select, poll or epoll, and read those that are ready."""
    selector = _counting_selector(kind, calls)
    with selector:
        for source in _not_blocking(sources):
            selector.register(source.sock, selectors.EVENT_READ, source)
        try:
            while selector.get_map():
                for key, _ in selector.select():
                    if _over(key.data, calls):
                        selector.unregister(key.fileobj)
        except ValueError as error:  # select's bound, FD_SETSIZE
            raise Unavailable(f"{kind} takes no descriptor above 1023") from error


def signals(sources: Sequence[Source], calls: SystemCalls) -> None:
    """Have the kernel send SIGIO when anything comes, and then ask each: SIGIO names none.

    The signal is blocked and fetched with sigtimedwait, so that it interrupts nothing else.
    """
    with _sigio_for_this_thread() as enrol:
        for source in _not_blocking(sources):
            enrol(source.sock)
            calls.note("fcntl", 4)  # two to say to whom, two to read and set the flags
        waiting = list(sources)
        while waiting := [source for source in waiting if not _over(source, calls)]:
            calls.note("sigtimedwait")
            signal.sigtimedwait([signal.SIGIO], _SIGNAL_WITHIN_S)


def event_loop(sources: Sequence[Source], calls: SystemCalls) -> None:
    """Give an asyncio loop a callback for each, and let it call."""
    import asyncio  # noqa: PLC0415 (slow, and only this model needs it)

    loop = asyncio.SelectorEventLoop(_counting_selector("default", calls))
    left = len(sources)

    def on_ready(source: Source) -> None:
        nonlocal left
        if _over(source, calls):
            loop.remove_reader(source.sock)
            left -= 1
            if not left:
                loop.stop()

    try:
        for source in _not_blocking(sources):
            loop.add_reader(source.sock, on_ready, source)
        loop.run_forever()
    finally:
        loop.close()


def _over(source: Source, calls: SystemCalls) -> bool:
    """Read once; return whether the output has ended."""
    piece = calls.recv(source.sock)
    return piece is not None and source.take(piece)


def _not_blocking(sources: Sequence[Source]) -> Sequence[Source]:
    for source in sources:
        source.sock.setblocking(False)
    return sources


def _counting_selector(kind: str, calls: SystemCalls) -> Any:  # noqa: ANN401 (a class made here)
    """Return a selector that counts its system calls. Raises `Unavailable`."""
    base, waits, changes = _SELECTORS[kind]
    if base is None:
        raise Unavailable(f"this system has no {kind}")

    class Counting(base):  # type: ignore[misc, valid-type]  # whichever the system has
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            calls.note(waits)
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            return ready

        def register(
            self, fileobj: FileDescriptorLike, events: int, data: object = None
        ) -> selectors.SelectorKey:
            self._change()
            key: selectors.SelectorKey = super().register(fileobj, events, data)
            return key

        def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
            self._change()
            key: selectors.SelectorKey = super().unregister(fileobj)
            return key

        def _change(self) -> None:
            if changes is not None:
                calls.note(changes)

    return Counting()


def _named(name: str) -> type[selectors.BaseSelector] | None:
    return getattr(selectors, name, None)


_EPOLL = (_named("EpollSelector"), "epoll_wait", "epoll_ctl")
_KQUEUE = (_named("KqueueSelector"), "kevent", "kevent")
_SELECTORS: dict[str, tuple[type[selectors.BaseSelector] | None, str, str | None]] = {
    "select": (selectors.SelectSelector, "select", None),
    "poll": (_named("PollSelector"), "poll", None),
    "epoll": _EPOLL,
    "kqueue": _KQUEUE,
    "default": next(each for each in (_EPOLL, _KQUEUE, (selectors.SelectSelector, "select", None))
                    if each[0] is not None),
}  # fmt: skip
"""Of each kind the class, the call that waits, and the call that tells the kernel of a change."""


@contextlib.contextmanager
def _sigio_for_this_thread() -> Iterator[Callable[[socket.socket], None]]:
    """Yield what makes a socket send SIGIO to this thread alone; undo it in the end.

    Raises `Unavailable` where there is no SIGIO, or it cannot be sent to one thread.
    """
    if not hasattr(signal, "sigtimedwait") or not hasattr(os, "sched_getaffinity"):
        raise Unavailable("this system sends no SIGIO to a single thread")
    if threading.current_thread() is not threading.main_thread():
        raise Unavailable("signals are handled in the main thread alone")
    import fcntl  # noqa: PLC0415 (there is none on Windows)

    owner = struct.pack("ii", _OWNER_IS_THREAD, threading.get_native_id())
    enrolled: list[socket.socket] = []

    def enrol(sock: socket.socket) -> None:
        fcntl.fcntl(sock, _SET_OWNER_EX, owner)
        fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC)
        enrolled.append(sock)

    handler = signal.signal(signal.SIGIO, lambda _number, _frame: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
    try:
        yield enrol
    finally:
        for sock in enrolled:
            with contextlib.suppress(OSError, ValueError):  # it was closed
                fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) & ~os.O_ASYNC)
        while signal.sigtimedwait([signal.SIGIO], 0):  # what is pending must not come later
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGIO, handler)


MODELS: dict[str, Model] = {
    "blocking": blocking,
    "polling": partial(polling, 0.0),
    "polling 10 ms": partial(polling, _POLL_PAUSE_S),
    "select": partial(multiplexing, "select"),
    "poll": partial(multiplexing, "poll"),
    "epoll": partial(multiplexing, "epoll"),
    "signals": signals,
    "asyncio": event_loop,
}
"""By the name that is shown, in the order in which they are measured."""

if _EPOLL[0] is None and _KQUEUE[0] is not None:
    MODELS["kqueue"] = partial(multiplexing, "kqueue")
    del MODELS["epoll"]
