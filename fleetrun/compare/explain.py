"""Which mode was the fastest, and why, in sentences made of the measured figures.

    runs, machine ─► findings ─► the paragraph under the table

Nothing is measured here and nothing is guessed: each cause has a condition on the figures, and its
sentence shows the figures that met it. A cause that several runs show is told of the one that
shows it most.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fleetrun.compare.fairness import can_tell, flaws, is_draw
from fleetrun.compare.speedup import sequential_among
from fleetrun.executors import Mode
from fleetrun.runs import Machine, Run, name_among, percentile

_MUCH_WAITING = 0.6
"""A session that waits for more than this share of its time is one of waiting."""
_ONE_CORE = (0.75, 1.3)
"""Cores busy of a process that computes as much as Python lets it: one thread at a time, and what
the libraries in C do beside it without Python's lock."""
_INEFFICIENT = 0.7
_ALL_CORES = 0.85
_LONG_START = 0.25
"""A start of the workers that takes more than this share of the wall time is worth telling."""
_SLOWED_DOWN = 1.8
"""A host that takes so many times as long as alone is kept waiting by something."""


class Cause(enum.StrEnum):
    """What a sentence says of a comparison."""

    UNFAIR = "unfair"
    """Something makes it unfair."""
    FASTEST = "fastest"
    """One run is the fastest, and its rounds tell it from the others."""
    DRAW = "draw"
    """Several are, and their rounds do not tell which."""
    WAITING = "waiting"
    """Sessions wait for most of their time, and the waiting is overlapped."""
    ONE_INTERPRETER = "one interpreter"
    """Python computes in one thread of a process at a time (the GIL)."""
    PROCESSORS = "processors"
    """All processors of this machine are busy."""
    START_UP = "start-up"
    """Workers take a large part of the time to start."""
    NARROW = "narrow"
    """There are more hosts than places, and hardly anything to compute."""
    HOSTS = "hosts"
    """Hosts, or the way to them, are slower the more of them are worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A cause, and the sentence that shows it in this comparison."""

    cause: Cause
    sentence: str


def findings(runs: Sequence[Run], machine: Machine) -> tuple[Finding, ...]:
    """Return what the figures say, in the order in which it is told. Pure."""
    if not any(run.comparable for run in runs):
        return tuple(_unfair(runs, machine))
    figures = _Figures(runs, machine)
    parts = (_unfair(runs, machine), _standing(figures), *(part(figures) for part in _CAUSES))
    return tuple(finding for part in parts for finding in part)


class _Figures:
    """The comparable runs, and what is asked about them again and again."""

    def __init__(self, runs: Sequence[Run], machine: Machine) -> None:
        self.all = runs
        self.machine = machine
        self.runs = sorted(
            (run for run in runs if run.comparable), key=lambda run: run.wall_seconds
        )
        self.sequential = sequential_among(runs)

    def name(self, run: Run) -> str:
        return name_among(run, self.all)

    @property
    def waiting(self) -> float | None:
        """The share of a session that is no computing here; None when it is not known.

        From the run without workers that overlaps least: sessions that compete for a processor
        would count the waiting for it.
        """
        here = [run for run in self.runs if not run.workers and run.cpu_seconds is not None]
        if not here:
            return None
        alone = min(here, key=lambda run: run.mean_overlap)
        worked_on_s = alone.mean_overlap * alone.wall_seconds
        used_s = alone.cpu_seconds or 0.0
        return max(0.0, 1 - used_s / worked_on_s) if worked_on_s else None

    @property
    def waits_much(self) -> bool:
        return self.waiting is not None and self.waiting >= _MUCH_WAITING

    def widest(self, mode: str) -> int:
        return max(run.width for run in self.all if run.mode == mode)


def _unfair(runs: Sequence[Run], machine: Machine) -> Iterator[Finding]:
    found = flaws(runs, machine)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        sentence = f"Take this with care, for the comparison is not fair: {found[0]}{more}."
        yield Finding(cause=Cause.UNFAIR, sentence=sentence)


def _standing(of: _Figures) -> Iterator[Finding]:
    """Name the fastest, or those among which the rounds cannot tell."""
    first, *others = of.runs
    if not others:
        return
    times = _times_sequential(first)
    if not can_tell(of.runs):
        sentence = f"Fastest in its one round: {of.name(first)}, {first.wall_seconds:.2f} s{times}."
        yield Finding(cause=Cause.FASTEST, sentence=sentence)
        return
    alike = [first, *(run for run in others if is_draw(first, run))]
    if len(alike) == 1:
        sentence = f"Fastest: {of.name(first)}, {first.wall_seconds:.2f} s{times}."
        yield Finding(cause=Cause.FASTEST, sentence=sentence)
        return
    if of.sequential in alike:
        times = ""
    names = _listed([of.name(run) for run in alike])
    spreads = _listed([_spread(run) for run in alike])
    sentence = f"A draw between {names}: their rounds overlap, at {spreads} s{times}."
    yield Finding(cause=Cause.DRAW, sentence=sentence)


def _waiting(of: _Figures) -> Iterator[Finding]:
    best = next((run for run in of.runs if run.peak_overlap > 1), None)
    if not of.waits_much or of.waiting is None or best is None or _is_slower(best, of.sequential):
        return
    yield Finding(
        cause=Cause.WAITING,
        sentence=(
            f"{of.waiting:.0%} of each session is waiting, and in {of.name(best)} it overlaps: "
            f"{best.peak_overlap} hosts at once{_cores_enough(best)}."
        ),
    )


def _one_interpreter(of: _Figures) -> Iterator[Finding]:
    low, high = _ONE_CORE
    stuck = _most(
        (
            run
            for run in of.runs
            if run.workers == 0
            and run.peak_overlap > 1
            and run.cores_busy is not None
            and low <= run.cores_busy <= high
            and (run.efficiency is None or run.efficiency < _INEFFICIENT)
        ),
        lambda run: run.peak_overlap,
    )
    if stuck is None or of.machine.cores == 1:
        return
    sentence = (
        "Python computes in one thread of a process at a time (the GIL): "
        f"{of.name(stuck)} had {stuck.peak_overlap} hosts at once and kept "
        f"{stuck.cores_busy:.1f} cores busy"
    )
    several = [run for run in of.runs if run.workers > 1 and run.cores_busy is not None]
    best = _most(several, lambda run: run.cores_busy or 0.0)
    if best is not None and (best.cores_busy or 0.0) > high:
        sentence += f", {of.name(best)} with {best.workers} processes {best.cores_busy:.1f}"
    yield Finding(cause=Cause.ONE_INTERPRETER, sentence=f"{sentence}.")


def _processors(of: _Figures) -> Iterator[Finding]:
    cores = of.machine.cores
    busy = [run for run in of.runs if (run.cores_busy or 0.0) >= _ALL_CORES * cores]
    most = _most(
        (
            run
            for run in busy
            if run.peak_overlap > 1
            and (run.workers > 1 or cores == 1)
            and _start_share(run) < _LONG_START  # or that is what keeps them busy
        ),
        lambda run: run.cores_busy or 0.0,
    )
    if most is not None:
        here = "the one core was" if cores == 1 else f"{cores} of {cores} cores were"
        yield Finding(
            cause=Cause.PROCESSORS,
            sentence=(
                f"In {of.name(most)}, {here} busy ({most.cores_busy:.1f}): "
                "this machine's processors are its limit."
            ),
        )


def _start_up(of: _Figures) -> Iterator[Finding]:
    most = _most(
        (run for run in of.runs if run.workers and _start_share(run) >= _LONG_START),
        _start_share,
    )
    if most is None or most.start_seconds is None:
        return
    sentence = (
        f"In {of.name(most)}, {most.start_seconds:.2f} of {most.wall_seconds:.2f} s pass until "
        f"{_workers(most)} at work"
    )
    each_s = _cpu_a_worker(of, most)
    if each_s is not None:
        each = "it pays" if most.workers == 1 else "each pays"
        sentence += f": {each} {each_s:.2f} s of processor time to start"
    yield Finding(cause=Cause.START_UP, sentence=f"{sentence}.")


def _narrow(of: _Figures) -> Iterator[Finding]:
    narrow = _most(
        (
            run
            for run in of.runs
            if run.mode != Mode.SEQUENTIAL
            and run.peak_overlap == run.width < run.hosts
            and run.width == of.widest(run.mode)
            and (run.cores_busy is None or run.cores_busy < _ONE_CORE[0])
        ),
        lambda run: run.hosts / run.width,
    )
    if narrow is not None and of.waits_much:
        turns = math.ceil(narrow.hosts / narrow.width)
        yield Finding(
            cause=Cause.NARROW,
            sentence=(
                f"With {narrow.width} hosts at once, {of.name(narrow)} takes {turns} turns for "
                f"{narrow.hosts}, and {narrow.cores_busy or 0.0:.2f} cores are busy: more forks "
                "would overlap more."
            ),
        )


def _hosts(of: _Figures) -> Iterator[Finding]:
    alone_s = _usual_s(of.sequential)
    if of.sequential is None or not alone_s:
        return
    slowed = _most(
        (
            run
            for run in of.runs
            if run.peak_overlap > 1
            and run.cores_busy is not None
            and run.cores_busy < _ONE_CORE[0]
            and _usual_s(run) >= _SLOWED_DOWN * alone_s
        ),
        _usual_s,
    )
    if slowed is not None:
        yield Finding(
            cause=Cause.HOSTS,
            sentence=(
                f"A host takes {_usual_s(slowed) / alone_s:.1f} times as long in "
                f"{of.name(slowed)} as alone, while {slowed.cores_busy:.2f} of "
                f"{of.machine.cores} cores are busy here: the hosts, or the way to them, are "
                "its limit."
            ),
        )


_CAUSES = (_waiting, _one_interpreter, _processors, _start_up, _narrow, _hosts)


def _most(runs: Iterable[Run], measure: Callable[[Run], float]) -> Run | None:
    """Return the run of which the measure is the largest; None of none."""
    return max(runs, key=measure, default=None)


def _is_slower(run: Run, sequential: Run | None) -> bool:
    return sequential is not None and run.wall_seconds >= sequential.wall_seconds


def _start_share(run: Run) -> float:
    return 0.0 if run.start_seconds is None else run.start_seconds / run.wall_seconds


def _cpu_a_worker(of: _Figures, run: Run) -> float | None:
    """Return what a worker costs beside the work, which is that of the leanest run without any."""
    here = [each.cpu_seconds for each in of.runs if not each.workers and each.cpu_seconds]
    if not here or run.cpu_seconds is None:
        return None
    return max(0.0, run.cpu_seconds - min(here)) / run.workers


def _usual_s(run: Run | None) -> float:
    """Return the seconds that half of the hosts do not exceed, once their worker is at work."""
    if run is None:
        return 0.0
    spans = [span for each in run.rounds for span in each.spans]
    return percentile(sorted(span.end_s - span.at_work_s for span in spans), 0.5) or 0.0


def _times_sequential(run: Run) -> str:
    if run.speedup is None or run.mode == Mode.SEQUENTIAL:
        return ""
    return f", {run.speedup:.1f} times as fast as sequential"


def _cores_enough(run: Run) -> str:
    if run.cores_busy is None:
        return ""
    if run.cores_busy <= 1:
        return f", for which {run.cores_busy:.0%} of one core is enough"
    return f", with {run.cores_busy:.1f} cores busy"


def _workers(run: Run) -> str:
    return "its worker is" if run.workers == 1 else f"its {run.workers} workers are"


def _spread(run: Run) -> str:
    shortest, longest = run.wall_spread
    return f"{shortest:.2f} to {longest:.2f}"


def _listed(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    *but_last, last = words
    return f"{', '.join(but_last)} and {last}" if but_last else last
