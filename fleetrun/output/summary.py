"""How the run went, for the person who started it: what failed and why, then the counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleetrun.events import Event
from fleetrun.output.color import RED, paint
from fleetrun.output.escape import visible
from fleetrun.output.writer import Writer
from fleetrun.results import Outcome, Report, Result

MOST_NAMES = 10
"""How many hosts that failed alike are named in one line; all of them with `verbose`."""

_ONE_DIGIT_FROM_S = 1.0


class Summary:
    """A sink that writes to standard error when the run is over.

        web3: failed in run: exit status 3
        db1, db2: unreachable in connect: connection refused
        256 hosts: 253 ok, 1 failed, 2 unreachable in 4.2 s

    Hosts that failed alike share a line. A host that is ok has one when there is a hint. The
    server's own words in it are escaped.

    Args:
        err: where it writes.
        quiet: whether to write nothing when every host is ok.
        verbose: whether to write each host's seconds by phase too, and to name every host.
    """

    def __init__(self, err: Writer, *, quiet: bool = False, verbose: bool = False) -> None:
        self._err = err
        self._quiet = quiet
        self._verbose = verbose

    def take(self, event: Event) -> None:
        """Do nothing: the summary is made of the report."""

    def close(self, report: Report) -> None:
        """Write the summary; raises `OSError` when it cannot be written."""
        if self._quiet and report.ok:
            return
        text = "".join(f"{line}\n" for line in self._lines(report))
        self._err.write(text.encode())

    def _lines(self, report: Report) -> Iterator[str]:
        if self._verbose:
            yield from (visible(_phases(result)) for result in report)
        for alike in _grouped(result for result in report if result.error or not result.ok):
            yield self._failure(alike)
        yield _counts(report)

    def _failure(self, alike: list[Result]) -> str:
        first = alike[0]
        names = _names(alike, most=len(alike) if self._verbose else MOST_NAMES)
        outcome = _word(first.outcome)
        if self._err.coloured:
            outcome = outcome if first.ok else paint(outcome, RED)
        where = "" if first.phase is None or first.ok else f" in {first.phase}"
        why = "" if first.error is None else f": {visible(first.error)}"
        return f"{names}: {outcome}{where}{why}{_doubt(first)}"


def _grouped(results: Iterable[Result]) -> list[list[Result]]:
    """Put results that would read alike together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        look = (result.outcome, result.phase, result.error, _doubt(result))
        groups.setdefault(look, []).append(result)
    return list(groups.values())


def _doubt(result: Result) -> str:
    """Say whether the command may still run, and whether its end was confirmed."""
    if result.killed:
        return " (killed: confirmed)"
    if result.killed is False:
        return " (killed: unconfirmed, it may still run)"
    return " (it may still run)" if result.may_still_run else ""


def _names(results: list[Result], *, most: int) -> str:
    names = ", ".join(result.host for result in results[:most])
    more = len(results) - most
    return names if more <= 0 else f"{names} and {more} more"


def _counts(report: Report) -> str:
    hosts = "1 host" if len(report) == 1 else f"{len(report)} hosts"
    counts = ", ".join(f"{count} {_word(what)}" for what, count in report.counts.items() if count)
    return f"{hosts}: {counts} in {_seconds(report.wall_seconds)} s"


def _phases(result: Result) -> str:
    parts = ", ".join(f"{phase} {spent:.3f}" for phase, spent in result.phase_seconds.items())
    return f"{result.host}: {_word(result.outcome)} in {_seconds(result.seconds)} s ({parts})"


def _word(outcome: Outcome) -> str:
    return outcome.replace("_", " ")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= _ONE_DIGIT_FROM_S else f"{seconds:.2f}"
