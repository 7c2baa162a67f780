"""The figures of a comparison as columns, for whichever table shows them: a row a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fleetrun.output.phase_looks import LOOKS
from fleetrun.runs import Peaks, Run, Usage, name_among, percentile

UNKNOWN = "–"  # noqa: RUF001 (a dash where a number would stand)
_MEGABYTE = 1_000_000
_SHOWN_FROM = 0.01
"""A phase in which no run spends so large a share of a host's time has no column."""

_BROKEN = {
    "resolve": "re-|solve",
    "connect": "con-|nect",
    "banner": "ban-|ner",
    "hostkey": "host-|key",
    "session": "ses-|sion",
    "transfer": "trans-|fer",
}
"""Where the names of phases that are longer than their figures may be broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: what stands above it; `|` is where it may be broken in two, to be narrow.
        cell: returns the figure of a run, a dash when it is not known.
        about: what the figure is, a clause.
        is_text: whether it is a word rather than a number.
    """

    title: str
    cell: Callable[[Run], str]
    about: str
    is_text: bool = False

    @property
    def lines(self) -> list[str]:
        """The title in one line or two."""
        return self.title.split("|")

    @property
    def one_line(self) -> str:
        """The title in one line; a word that was broken is whole again."""
        return self.title.replace("-|", "").replace("|", " ")


def columns(runs: Sequence[Run]) -> tuple[tuple[Column, ...], ...]:
    """Return the columns of each table: the time, what it cost, and where a host's time went."""
    return _TIME, _COST, (_called(runs), *_latency(runs))


def _called(runs: Sequence[Run]) -> Column:
    """Return who it is in one column, which leaves room for the phases."""
    return Column(
        title="mode",
        cell=lambda run: name_among(run, runs),
        about="the mode, with its width where it has several",
        is_text=True,
    )


def _latency(runs: Sequence[Run]) -> Iterator[Column]:
    """Yield how long a host took, and the phases in which any run spent time worth showing."""
    yield from (_percentile(share) for share in (0.5, 0.95, 0.99))
    wanted = {phase for run in runs for phase in _long_phases(run)}
    yield from (_phase(phase) for phase in LOOKS if phase in wanted)


def _long_phases(run: Run) -> Iterator[str]:
    spent = run.phase_seconds
    at_least_s = _SHOWN_FROM * sum(spent.values())
    yield from (phase for phase, seconds in spent.items() if seconds >= at_least_s)


def _percentile(share: float) -> Column:
    return Column(
        title=f"p{100 * share:.0f} s",
        cell=lambda run: _known(percentile(run.latencies, share), "{:.3f}"),
        about=f"seconds that {share:.0%} of the hosts did not exceed",
    )


def _phase(phase: str) -> Column:
    return Column(
        title=_BROKEN.get(phase, phase),
        cell=lambda run: _known(run.phase_seconds.get(phase), "{:.3f}"),
        about=f"seconds of a host in the phase {phase}, on average",
    )


def _of_usage(title: str, form: str, figure: Callable[[Usage], float], about: str) -> Column:
    def cell(run: Run) -> str:
        return UNKNOWN if run.usage is None else form.format(figure(run.usage))

    return Column(title=title, cell=cell, about=about)


def _of_peaks(
    title: str, figure: Callable[[Peaks], float | None], about: str, form: str = "{}"
) -> Column:
    def cell(run: Run) -> str:
        return _known(None if run.peaks is None else figure(run.peaks), form)

    return Column(title=title, cell=cell, about=about)


def _spread(run: Run) -> str:
    if len(run.rounds) == 1:
        return UNKNOWN
    shortest, longest = run.wall_spread
    return f"{shortest:.2f}–{longest:.2f}"  # noqa: RUF001 (the dash of a range)


def _megabytes(peaks: Peaks) -> float | None:
    return None if peaks.memory_bytes is None else peaks.memory_bytes / _MEGABYTE


def _known(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)


_WHO = (
    Column(title="mode", cell=lambda run: run.mode, about="the mode", is_text=True),
    Column(title="forks", cell=lambda run: str(run.forks), about="hosts at once, as allowed"),
)
_TIME = (
    *_WHO,
    Column(
        title="wall s",
        cell=lambda run: f"{run.wall_seconds:.2f}",
        about="from the first host asked for to the end of the last worker, median of the rounds",
    ),
    Column(
        title="min–max",  # noqa: RUF001 (the dash of a range)
        cell=_spread,
        about="the shortest and the longest round",
    ),
    Column(
        title="speed-up",
        cell=lambda run: _known(run.speedup, "{:.1f}x"),
        about="how many times as fast as sequential",
    ),
    Column(
        title="effi-|ciency",
        cell=lambda run: _known(run.efficiency, "{:.0%}"),
        about="speed-up for each host at once that was allowed",
    ),
    Column(
        title="hosts|at once",
        cell=lambda run: str(run.peak_overlap),
        about="the most hosts that were worked on at one moment, as recorded: concurrency",
    ),
    Column(
        title="mean",
        cell=lambda run: f"{run.mean_overlap:.1f}",
        about="hosts at once on average over the wall time",
    ),
    Column(
        title="cores|busy",
        cell=lambda run: _known(run.cores_busy, "{:.2f}"),
        about="processor time for each second of wall time: parallelism",
    ),
    Column(title="ok", cell=lambda run: str(run.ok), about="hosts that were ok"),
    Column(title="not ok", cell=lambda run: str(run.not_ok), about="hosts that were not"),
)
_COST = (
    *_WHO,
    Column(title="workers", cell=lambda run: str(run.workers), about="worker processes"),
    _of_usage(
        "user s", "{:.2f}", lambda usage: usage.user_seconds, "processor time in our own code"
    ),
    _of_usage(
        "system s",
        "{:.2f}",
        lambda usage: usage.system_seconds,
        "processor time of the kernel for us",
    ),
    _of_usage(
        "gave|way",
        "{}",
        lambda usage: usage.voluntary_switches,
        "voluntary context switches: a thread gave its processor up, at a wait",
    ),
    _of_usage(
        "pushed|off",
        "{}",
        lambda usage: usage.involuntary_switches,
        "involuntary context switches: a thread had more to do and was pushed off its processor",
    ),
    _of_peaks("threads", lambda peaks: peaks.threads, "the most threads of the operating system"),
    _of_peaks(
        "pro-|cesses", lambda peaks: peaks.processes, "the most processes, this one included"
    ),
    _of_peaks("files", lambda peaks: peaks.descriptors, "the most open descriptors"),
    _of_peaks("MB", _megabytes, "the most memory, what processes share counted once", "{:.0f}"),
)
