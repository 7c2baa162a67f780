"""Which modes, in which order, on which hosts, after which warm-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fleetrun.compare.measure import measure
from fleetrun.executors import Mode
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.operations import Operation
from fleetrun.runs import Run
from fleetrun.session import Connect

Tell = Callable[[str], None]
"""Takes a sentence about what comes next, for whoever waits for it."""


class Comparison:
    """One operation on the same hosts in several modes, one run after the other.

    Before the first, the operation is done once on the first host, in this process and unmeasured.
    That pays what is paid once (importing the SSH library, reading keys), so that the order of the
    modes does not matter. Worker processes pay it again, each for itself: that is part of their
    run, as it is whenever they are used.

    Args:
        hosts: as for `Fleet`.
        operation: what to do on each of them, once in each mode.
        modes: in the order in which they are measured.
        forks: as for `Fleet`, in each mode; None means what suits the mode.
        connect: as for `Fleet`.

    Raises `UsageError` as `Fleet` does; nothing has been contacted then. Use from one thread, but
    for `cancel`.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        operation: Operation,
        *,
        modes: Sequence[Mode],
        forks: int | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._operation = operation
        self._fleets = [Fleet(hosts, mode=mode, forks=forks, connect=connect) for mode in modes]
        self._warm_up = Fleet(hosts[:1], mode=Mode.SEQUENTIAL, connect=connect)
        self._cancelled = False

    def runs(self, tell: Tell) -> Iterator[Run]:
        """Yield the run of each mode when it is over, in order; no speed-up is known yet.

        A run that `cancel` interrupts is the last.
        """
        warm_up = f"warm-up on {self._warm_up.hosts[0].name}, not measured"
        for run in self._measured(self._warm_up, warm_up, tell):
            if not run.comparable and not self._cancelled:
                tell(f"the warm-up was not ok, so the first mode may pay for it: {run.problem}")
        for fleet in self._fleets:
            yield from self._measured(fleet, _how(fleet), tell)

    def cancel(self) -> None:
        """End what runs, and begin no other run. Safe from any thread and from a signal handler."""
        self._cancelled = True
        for fleet in (self._warm_up, *self._fleets):
            fleet.cancel()

    def _measured(self, fleet: Fleet, what: str, tell: Tell) -> Iterator[Run]:
        """Yield the fleet's run; nothing when the comparison was cancelled before it began."""
        events = fleet.events(self._operation)
        if self._cancelled:  # not looked at before the call, from which on `fleet.cancel` works
            return
        tell(what)
        yield measure(events, fleet.plan)


def _how(fleet: Fleet) -> str:
    """Return a clause such as `threads: 16 hosts, 8 at once`."""
    plan = fleet.plan
    hosts = "1 host" if len(fleet.hosts) == 1 else f"{len(fleet.hosts)} hosts"
    less = "" if plan.note is None else f" ({plan.note})"
    return f"{plan.mode}: {hosts}, {plan.at_once} at once{less}"
