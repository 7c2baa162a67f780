"""What the costs of workers say, and whether the old rule about threads holds here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.compare.quantities import duration, listed, size, times
from fleetrun.findings.spawn import WorkerCost

_RULE = (10, 100)
_PROCESSES = ("fork", "forkserver", "spawn")
_PLAIN = {"fork": "fork", "forkserver": "a fork server", "spawn": "spawn"}
_NAMES = {kind: f"by {plain}" for kind, plain in _PLAIN.items()}


def explain(costs: Sequence[WorkerCost]) -> str:
    """Return what the figures show, in sentences computed from them."""
    sentences = (
        *_rule(costs, paramiko=False),
        *_rule(costs, paramiko=True),
        *_greenlet(costs),
        *_memory(costs),
        *_hand_over(costs),
    )
    return " ".join(sentences)


def ratios(costs: Sequence[WorkerCost], *, paramiko: bool) -> dict[str, float]:
    """Return how many times as long as a thread's life each kind of process's takes."""
    lives = {cost.kind: cost.life_seconds for cost in costs if cost.paramiko is paramiko}
    thread_s = lives.get("thread")
    return {
        kind: life_s / thread_s
        for kind in _PROCESSES
        if thread_s and (life_s := lives.get(kind)) is not None
    }


def _rule(costs: Sequence[WorkerCost], *, paramiko: bool) -> Iterator[str]:
    """Yield whether a thread is 10 to 100 times cheaper than a process."""
    found = ratios(costs, paramiko=paramiko)
    if not found:
        return
    compared = listed([f"{times(ratio)} {_NAMES[kind]}" for kind, ratio in found.items()])
    low, high = _RULE
    where = "With paramiko imported" if paramiko else "In an empty program"
    yield (
        f"{where}, making and ending a process takes, against a thread's "
        f"{duration(_life(costs, 'thread', paramiko=paramiko))}, {compared}: the rule that a "
        f"thread is {low} to {high} times cheaper than a process {_verdict(found)}."
    )


def _verdict(found: dict[str, float]) -> str:
    """Return what becomes of the rule for each kind of process, as the end of a sentence."""
    low, high = _RULE
    held = [_PLAIN[kind] for kind, ratio in found.items() if low <= ratio <= high]
    above = [_PLAIN[kind] for kind, ratio in found.items() if ratio > high]
    below = [_PLAIN[kind] for kind, ratio in found.items() if ratio < low]
    parts = [f"holds for {listed(held)}" if held else "does not hold"]
    if above:
        parts.append(f"for {listed(above)} it is more than {high} times")
    if below:
        parts.append(f"for {listed(below)} less than {low} times")
    return ("; " if held else ": ").join([parts[0], listed(parts[1:])]) if parts[1:] else parts[0]


def _life(costs: Sequence[WorkerCost], kind: str, *, paramiko: bool) -> float:
    return next(
        cost.life_seconds or 0.0
        for cost in costs
        if cost.kind == kind and cost.paramiko is paramiko
    )


def _greenlet(costs: Sequence[WorkerCost]) -> Iterator[str]:
    lives = {cost.kind: cost.life_seconds for cost in costs if not cost.paramiko}
    if (thread_s := lives.get("thread")) and (greenlet_s := lives.get("greenlet")):
        ratio = times(greenlet_s / thread_s)
        yield f"A greenlet's life takes {duration(greenlet_s)}, {ratio} a thread's."


def _memory(costs: Sequence[WorkerCost]) -> Iterator[str]:
    """Yield what each kind adds once paramiko is loaded, which is what a fleet's workers need."""
    added = {cost.kind: cost.pss_bytes for cost in costs if cost.paramiko}
    known = [f"a {kind} {size(pss)}" for kind in ("thread", "greenlet") if (pss := added.get(kind))]
    known += [
        f"a process {_NAMES[kind]} {size(pss)}" for kind in _PROCESSES if (pss := added.get(kind))
    ]
    if known:
        yield f"Of memory, with paramiko, {listed(known)}."


def _hand_over(costs: Sequence[WorkerCost]) -> Iterator[str]:
    trips = {cost.kind: cost.round_trip_seconds for cost in costs if not cost.paramiko}
    thread_s = trips.get("thread")
    others = [trip for kind in _PROCESSES if (trip := trips.get(kind)) is not None]
    if thread_s and others:
        yield (
            f"A job goes to a thread and back in {duration(thread_s)}, to a process in "
            f"{duration(min(others))}: a worker that is made once and given many jobs costs little "
            "of either kind, and that is what a pool is for."
        )
