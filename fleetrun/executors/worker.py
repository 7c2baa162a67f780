"""A worker process: jobs come in over a socket, a pool of threads does them, events go out.

    socket ─► main thread ─► orders ─► pool threads ─► Outbox ─► socket

The main thread only reads. So it sees at any time that the run is cancelled, or that the parent is
gone, and then ends the process at once, whatever the other threads are waiting for.
"""

from __future__ import annotations

import gc
import logging
import os
import queue
import signal
import time
from collections.abc import Iterator
from logging.handlers import QueueHandler
from socket import socket
from threading import Event as Flag
from threading import Lock, Thread

from fleetrun import home
from fleetrun.events import Event, Finished, Output, PhaseReached, Started
from fleetrun.executors.asking import Asker
from fleetrun.executors.clock import clock_name
from fleetrun.executors.limits import affordable
from fleetrun.executors.mode import DESCRIPTORS_A_HOST
from fleetrun.executors.pool import Latch, Order, Orders, start_threads
from fleetrun.executors.wire import (
    CHUNK_BYTES,
    Answer,
    CancelAll,
    Failed,
    Hold,
    Ping,
    Pong,
    Ready,
    RunOver,
    Setup,
    Unpacker,
    pack,
)
from fleetrun.job import HANDED_OVER, Job
from fleetrun.keeper import Keeper
from fleetrun.readiness import IN_GREENLETS
from fleetrun.session import Cancel, WarmsUp

_HELD_BACK_S = 0.005
_HELD_BACK_BYTES = 64 * 1024
_GOODBYES_S = 0.5
"""What the goodbyes of idle sessions may take: the supervisor waits, or is dead already."""
_GC_THRESHOLDS = (10_000, 10, 10)
"""By default 700, 10, 10: objects made and not freed before the youngest are looked at, and how
many such looks until older ones are."""
_EVENT_BYTES = 100
"""About what an event costs beside its data."""


def main(descriptor: int) -> None:
    """Serve the supervisor at the other end of the socket until it hangs up. Never returns.

    SIGINT is ignored: Ctrl-C is the supervisor's to handle.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_inheritable(descriptor, False)
    connection = socket(fileno=descriptor)
    outbox = Outbox(connection)
    try:
        serve(connection, outbox)
    except Exception as error:  # noqa: BLE001 (whatever unpickling raises: the parent is told)
        reason = f"{type(error).__name__}: {error}"
        outbox.send(Failed(reason=reason, hopeless=not isinstance(error, OSError | MemoryError)))
    os._exit(0)


def serve(connection: socket, outbox: Outbox) -> None:
    """Take the setup, start the threads, and hand them jobs until the supervisor hangs up."""
    things = _receive(connection)
    setup = next(things, None)
    if not isinstance(setup, Setup):
        return
    forward_logs(outbox, setup.log_level)
    asker = Asker(outbox.send)
    width = setup.width
    if setup.away:
        home.work_away(asker.ask)
        width = affordable(width, descriptors_each=DESCRIPTORS_A_HOST)
    if isinstance(setup.connect, WarmsUp):
        setup.connect.warm_up()
    _spare_collections()
    keeper = Keeper(setup.connect, most=setup.most_idle) if setup.most_idle else None
    orders: Orders = queue.SimpleQueue()
    threads = start_threads(width, orders, keeper or setup.connect, outbox.emit)
    if not threads:
        outbox.send(Failed(reason="it could not start a thread", hopeless=False))
        return
    outbox.send(Ready(width=len(threads), clock=clock_name(), at_s=time.monotonic()))
    _hand_out(things, orders, outbox, asker)
    if keeper is not None:
        goodbyes = Thread(target=keeper.close, name="fleetrun-goodbyes", daemon=True)
        goodbyes.start()
        goodbyes.join(_GOODBYES_S)


def _spare_collections() -> None:
    """Have the garbage collector look less often, and never at what was imported.

    By default it looks at everything that lives each time a quarter was added, and a thousand
    sessions that log in are added all the time: a third of a login's processor time (measured).
    Closed sessions leave no cycles for it to find.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _hand_out(things: Iterator[object], orders: Orders, outbox: Outbox, asker: Asker) -> None:
    """Do what the supervisor says, run by run, until it hangs up."""
    cancel, latch = Cancel(), Latch()
    for thing in things:
        match thing:
            case Job():
                orders.put(Order(thing, cancel, latch))
            case Answer():
                asker.take(thing)
            case Ping():
                outbox.send(Pong())
            case Hold():
                latch.fall(thing.reason)
            case CancelAll():
                cancel.press()
            case RunOver():
                cancel.close()
                cancel, latch = Cancel(), Latch()


def _receive(connection: socket) -> Iterator[object]:
    """Yield what the supervisor sends; ends when it has hung up."""
    unpacker = Unpacker()
    while piece := connection.recv(CHUNK_BYTES):
        yield from unpacker.feed(piece)


class Outbox:
    """Events on their way to the supervisor, a few at a time. For any number of threads.

    What must be known if this process dies goes out before the thread goes on: that a job was
    begun, that its command is about to be handed over, how it ended. The rest is held back for
    up to 5 ms or 64 KiB, so that chatty hosts cost few messages. When the supervisor does not
    read, the socket fills up and every thread that has something to say waits.

    A greenlet lets those that are ready say what they have before it sends: one message is of many
    hosts then, and nobody waits for longer than they take to come so far.
    """

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._held: list[object] = []
        self._held_bytes = 0
        self._holding = Lock()
        self._sending = Lock()
        self._something_held = Flag()
        self._holds_back = self._start_clock()

    def emit(self, event: Event) -> None:
        """Send the event now or soon; waits while the supervisor does not read."""
        with self._holding:
            self._held.append(event)
            self._held_bytes += _EVENT_BYTES + len(getattr(event, "data", b""))
            full = self._held_bytes >= _HELD_BACK_BYTES
        if full or not self._holds_back or _must_be_known(event):
            if IN_GREENLETS:
                time.sleep(0)
            self._flush()
        elif not self._something_held.is_set():
            self._something_held.set()

    def send(self, thing: object) -> None:
        """Send anything else now, after what was held back."""
        with self._holding:
            self._held.append(thing)
        self._flush()

    def _flush(self) -> None:
        """Send what is held back. On return it is out, whichever thread has sent it."""
        with self._sending:
            with self._holding:
                things, self._held, self._held_bytes = self._held, [], 0
            if not things:
                return
            try:
                self._connection.sendall(pack(things))
            except OSError:  # the supervisor is gone, and with it whoever wanted to know
                os._exit(1)

    def _start_clock(self) -> bool:
        try:
            Thread(target=self._flush_now_and_then, name="fleetrun-outbox", daemon=True).start()
        except RuntimeError:  # no thread is to be had: nothing is held back then
            return False
        return True

    def _flush_now_and_then(self) -> None:
        while True:
            self._something_held.wait()
            time.sleep(_HELD_BACK_S)
            self._something_held.clear()
            self._flush()


def _must_be_known(event: Event) -> bool:
    """Whether the supervisor would judge a dead worker's host wrongly without this event."""
    match event:
        case Started() | Finished():
            return True
        case PhaseReached():
            return event.phase in HANDED_OVER
        case Output():
            return False


class _LogForwarder(QueueHandler):
    """Sends log records to the supervisor, whose process has the handlers that were asked for."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(queue.SimpleQueue())
        self._outbox = outbox

    def enqueue(self, record: logging.LogRecord) -> None:
        self._outbox.send(record)


def forward_logs(outbox: Outbox, level: int) -> None:
    """Send all log records of this process from that level on to the supervisor."""
    root = logging.getLogger()
    root.addHandler(_LogForwarder(outbox))
    root.setLevel(level)
