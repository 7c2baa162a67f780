"""What makes a comparison unfair, or keeps it from telling two runs apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetrun.runs import Machine, Run, name_among


def flaws(runs: Sequence[Run], machine: Machine) -> tuple[str, ...]:
    """Return a sentence on each thing that makes it unfair; none when it is fair."""
    return (
        *_not_ok(runs),
        *_narrower(runs),
        *_rounds(runs),
        *_busy(machine),
    )


def is_draw(one: Run, other: Run) -> bool:
    """Whether the rounds of two runs overlap in wall time, so that neither is known as faster."""
    (shortest, longest), (its_shortest, its_longest) = one.wall_spread, other.wall_spread
    return shortest <= its_longest and its_shortest <= longest


def can_tell(runs: Sequence[Run]) -> bool:
    """Whether each run has rounds enough for a spread."""
    return all(len(run.rounds) > 1 for run in runs)


def _not_ok(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if not run.comparable:
            yield (
                f"{name_among(run, runs)} is not comparable: {run.not_ok} of {run.hosts} "
                f"hosts not ok, first {run.problem}"
            )


def _narrower(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        if run.note is not None:
            yield f"{name_among(run, runs)} is narrower than was asked for: {run.note}"
        elif run.wanted is not None and run.width < run.wanted:
            yield (
                f"{name_among(run, runs)} had {run.width} hosts at once where {run.wanted} were "
                f"asked for: {run.workers} workers share them evenly"
            )


def _rounds(runs: Sequence[Run]) -> Iterator[str]:
    if len({len(run.rounds) for run in runs}) > 1:
        yield "not every mode had as many rounds: the comparison was stopped"
    if len(runs) > 1 and not can_tell(runs):
        yield "one round of each tells nothing of how much it varies: use --repeat 3 or more"


def _busy(machine: Machine) -> Iterator[str]:
    if machine.load is not None and machine.load > machine.cores:
        yield (
            f"the machine was busy before the first run: a load of {machine.load:.1f} "
            f"on {_cores(machine.cores)}"
        )


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
