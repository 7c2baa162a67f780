"""Which configurations, in which order, on which hosts, after which warm-up.

    warm-up ─► peaks of a, b, c ─► a b c ─► b c a ─► c a b ─► Run, Run, Run
    (1 host)    (not measured)     └────── rounds ──────┘     (their medians)

The rounds are interleaved and each begins with another configuration, so that what changes with
time (a machine that gets warm, a neighbour that gets busy) meets all of them alike.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from fleetrun.compare.measure import measure
from fleetrun.compare.process_tree import ProcessTree, Watch
from fleetrun.executors import Mode
from fleetrun.fleet import Fleet
from fleetrun.hosts import Host
from fleetrun.operations import Operation
from fleetrun.runs import Peaks, Round, Run
from fleetrun.session import Connect

Tell = Callable[[str], None]
"""Takes a sentence about what comes next, for whoever waits for it."""

DEFAULT_FORKS = 16
"""The width of every mode unless another is asked for: the same for all, or it would be no
comparison; and no more, since 16 worker processes are a load that two cores still bear."""

DEFAULT_ROUNDS = 3


@dataclass(slots=True)
class _Configuration:
    """A mode at a width, and what was measured of it so far."""

    fleet: Fleet
    wanted: int | None
    rounds: list[Round] = field(default_factory=list)
    peaks: Peaks | None = None


class Comparison:
    """One operation on the same hosts in several modes and widths, in interleaved rounds.

    Before the first, the operation is done once on the first host, in this process and unmeasured.
    That pays what is paid once (importing the SSH library, reading keys), so that the order of the
    modes does not matter. Worker processes pay it again, each for itself: that is part of their
    run, as it is whenever they are used. Every round connects anew.

    Args:
        hosts: as for `Fleet`.
        operation: what to do on each of them, once in each round; several are one for each host.
        modes: in the order in which they are reported.
        forks: the widths: each mode is measured at each of them, but at no width twice, and
            `sequential` once. Never more than there are hosts.
        rounds: how often each is measured.
        peaks: whether each has one more round before, unmeasured, in which threads, processes,
            descriptors and memory are looked at; it needs psutil.
        connect: as for `Fleet`.

    Raises `UsageError` as `Fleet` does; nothing has been contacted then. Use from one thread, but
    for `cancel`.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        operation: Operation | Sequence[Operation],
        *,
        modes: Sequence[Mode],
        forks: Sequence[int] = (DEFAULT_FORKS,),
        rounds: int = DEFAULT_ROUNDS,
        peaks: bool = False,
        connect: Connect | None = None,
    ) -> None:
        self._operation = operation
        self._configurations = list(_configurations(hosts, modes, forks, connect))
        self._rounds = rounds
        self._peaks = peaks
        self._warm_up = Fleet(hosts[:1], mode=Mode.SEQUENTIAL, connect=connect)
        self._cancelled = False

    def runs(self, tell: Tell) -> tuple[Run, ...]:
        """Measure, and return the run of each configuration; no speed-up is known yet.

        After `cancel`, those of which a round was begun. A round that it interrupted is among a
        run's only when the run has no other.
        """
        self._do_warm_up(tell)
        if self._peaks:
            self._look(tell)
        for number in range(self._rounds):
            self._do_round(number, tell)
        return tuple(_run(each) for each in self._configurations if each.rounds)

    def cancel(self) -> None:
        """End what runs, and begin no other round. Safe from any thread and a signal handler."""
        self._cancelled = True
        for fleet in (self._warm_up, *(each.fleet for each in self._configurations)):
            fleet.cancel()

    def _do_warm_up(self, tell: Tell) -> None:
        fleet = self._warm_up
        for done in self._done(fleet, f"warm-up on {fleet.hosts[0].name}, not measured", tell):
            if done.not_ok and not self._cancelled:
                tell(f"the warm-up was not ok, so the first mode may pay for it: {done.problem}")

    def _look(self, tell: Tell) -> None:
        if not self._cancelled:
            tell("a look at threads, processes and memory in each mode, not measured")
        for each in self._configurations:
            watch = Watch(ProcessTree().look)
            with watch:
                done = list(self._done(each.fleet))
            each.peaks = watch.peaks if done else None

    def _do_round(self, number: int, tell: Tell) -> None:
        """Measure each of them once. How they do it is told in the first round alone."""
        turned = _turned(self._configurations, number)
        if self._rounds > 1 and not self._cancelled:
            modes = ", ".join(_short(each.fleet) for each in turned)
            tell(f"round {number + 1} of {self._rounds}: {modes}")
        for each in turned:
            for done in self._done(each.fleet, None if number else _how(each.fleet), tell):
                if not (self._cancelled and each.rounds):
                    each.rounds.append(done)

    def _done(
        self, fleet: Fleet, what: str | None = None, tell: Tell | None = None
    ) -> Iterator[Round]:
        """Yield the fleet's round; nothing when the comparison was cancelled before it began."""
        operation = self._operation
        if isinstance(operation, Sequence):
            operation = operation[: len(fleet.hosts)]
        events = fleet.events(operation)
        if self._cancelled:  # not looked at before the call, from which on `fleet.cancel` works
            return
        if what is not None and tell is not None:
            tell(what)
        gc.collect()  # what the round before has left is not this one's to clear away
        yield measure(events)


def _configurations(
    hosts: Sequence[Host], modes: Sequence[Mode], forks: Sequence[int], connect: Connect | None
) -> Iterator[_Configuration]:
    seen: set[tuple[Mode, int]] = set()
    for mode in modes:
        for width in forks:
            fleet = Fleet(hosts, mode=mode, forks=width, connect=connect)
            if (mode, fleet.plan.at_once) not in seen:
                seen.add((mode, fleet.plan.at_once))
                wanted = None if mode is Mode.SEQUENTIAL else min(width, len(hosts))
                yield _Configuration(fleet, wanted)


def _turned(configurations: list[_Configuration], number: int) -> list[_Configuration]:
    """Return them in their order, from another first one in each round."""
    first = number % len(configurations) if configurations else 0
    return configurations[first:] + configurations[:first]


def _run(configuration: _Configuration) -> Run:
    plan = configuration.fleet.plan
    return Run(
        mode=plan.mode,
        forks=plan.at_once,
        wanted=configuration.wanted,
        workers=plan.workers,
        rounds=tuple(configuration.rounds),
        peaks=configuration.peaks,
        note=plan.note,
    )


def _short(fleet: Fleet) -> str:
    return f"{fleet.plan.mode}/{fleet.plan.at_once}"


def _how(fleet: Fleet) -> str:
    """Return a clause such as `threads: 16 hosts, 8 at once`."""
    plan = fleet.plan
    hosts = "1 host" if len(fleet.hosts) == 1 else f"{len(fleet.hosts)} hosts"
    less = "" if plan.note is None else f" ({plan.note})"
    return f"{plan.mode}: {hosts}, {plan.at_once} at once{less}"
