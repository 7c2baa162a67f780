"""The charts of a report, as SVG: no library of plots draws them, and none has to be installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from html import escape

from fleetrun.output.lanes import Lane
from fleetrun.output.phase_looks import LOOKS
from fleetrun.runs import Run, Span, name_among, percentile

_WIDTH = 1000
_NAMES = 150
"""How much of the width is for the names on the left."""
_FIGURES = 90
"""And for the figures on the right."""
_ROW = 30
_BAR = 16
_LANE = 14
_LANE_BAR = 12
_MICRO = 1e6
_THINNEST = 1 / 4000
"""What is thinner, in shares of the whole, is not drawn: it would not be seen, and there may be
tens of thousands of it."""


def wall_chart(runs: Sequence[Run]) -> str:
    """Return a bar a run: the wall time, with a line from the shortest round to the longest."""
    scale = _scale(max(run.wall_spread[1] for run in runs))
    rows = []
    for top, run in _rows(runs):
        (shortest, longest), end = run.wall_spread, run.wall_seconds * scale
        rows.append(_name(run, runs, top))
        rows.append(_rect("bar", _NAMES, top, end))
        if len(run.rounds) > 1:
            middle = top + _BAR / 2
            ends = _NAMES + shortest * scale, _NAMES + longest * scale
            rows.append(_line("whisker", ends[0], middle, ends[1], middle))
            rows.extend(_line("whisker", at, top + 3, at, top + _BAR - 3) for at in ends)
        rows.append(_figure(max(end, longest * scale), top, f"{run.wall_seconds:.2f} s"))
    return _chart("Wall time of each mode", runs, rows)


def overlap_chart(runs: Sequence[Run]) -> str:
    """Return two bars a run: hosts at once on average, and cores busy."""
    scale = _scale(max(max(run.mean_overlap, run.cores_busy or 0.0) for run in runs))
    rows = []
    for top, run in _rows(runs):
        half = _BAR / 2
        busy = run.cores_busy or 0.0
        rows.append(_name(run, runs, top))
        rows.append(_rect("bar", _NAMES, top, run.mean_overlap * scale, half))
        rows.append(_rect("other-bar", _NAMES, top + half + 1, busy * scale, half))
        cores = "" if run.cores_busy is None else f" / {busy:.2f}"
        text = f"{run.mean_overlap:.1f}{cores}"
        rows.append(_figure(max(run.mean_overlap, busy) * scale, top, text))
    return _chart("Hosts at once and cores busy in each mode", runs, rows)


def latency_chart(runs: Sequence[Run]) -> str:
    """Return a bar a run: the mean seconds of a host, phase by phase; lines for p50, p95, p99."""
    scale = _scale(max((max(run.latencies, default=0.0) for run in runs), default=0.0))
    rows = []
    for top, run in _rows(runs):
        rows.append(_name(run, runs, top))
        spent = run.phase_seconds
        at = float(_NAMES)
        for phase in (phase for phase in LOOKS if phase in spent):
            what = f"{phase} {spent[phase]:.3f} s"
            rows.append(_rect(phase, at, top, spent[phase] * scale, title=what))
            at += spent[phase] * scale
        ranks = [percentile(run.latencies, share) or 0.0 for share in (0.5, 0.95, 0.99)]
        for seconds in ranks:
            x = _NAMES + seconds * scale
            rows.append(_line("mark", x, top - 3, x, top + _BAR + 3))
        rows.append(
            _figure(max([at - _NAMES, *(rank * scale for rank in ranks)]), top, f"{ranks[0]:.2f} s")
        )
    return _chart("Seconds of a host by phase in each mode", runs, rows)


def timeline(lanes: Sequence[Lane], wall_seconds: float, title: str) -> str:
    """Return the lanes, one under the other. A unit is a microsecond across, a pixel down."""
    whole = _MICRO * wall_seconds
    high = _LANE * len(lanes)
    bars = [
        bar
        for number, lane in enumerate(lanes)
        for span in lane.spans
        for bar in _host(span, _LANE * number, thinnest_s=_THINNEST * wall_seconds)
    ]
    return (
        f'<svg class="timeline" viewBox="0 0 {whole:.0f} {high}" height="{high}" tabindex="0" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(title)}">\n'
        + "\n".join(bars)
        + "\n</svg>"
    )


def _host(span: Span, top: int, *, thinnest_s: float) -> Iterator[str]:
    phases = ", ".join(f"{phase} {spent:.3f}" for phase, spent in span.phases)
    about = f"{span.host}: {span.seconds:.3f} s from {span.begin_s:.3f} s ({phases})"
    yield f'<g class="host"><title>{escape(about)}</title>'
    ends = list(itertools.accumulate((spent for _, spent in span.phases), initial=span.begin_s))
    for (phase, spent), begin_s in zip(span.phases, ends, strict=False):
        if spent >= thinnest_s:
            x, width = _MICRO * begin_s, _MICRO * spent
            yield (
                f'<rect class="{phase}" x="{x:.0f}" y="{top + 1}" '
                f'width="{width:.0f}" height="{_LANE_BAR}"/>'
            )
    yield "</g>"


def _scale(largest: float) -> float:
    return (_WIDTH - _NAMES - _FIGURES) / largest if largest > 0 else 0.0


def _rows(runs: Sequence[Run]) -> Iterator[tuple[float, Run]]:
    """Yield each run with the top of its bar."""
    for number, run in enumerate(runs):
        yield number * _ROW + (_ROW - _BAR) / 2, run


def _chart(title: str, runs: Sequence[Run], parts: Sequence[str]) -> str:
    high = _ROW * len(runs)
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {high}" role="img" '
        f'aria-label="{escape(title)}">\n{_line("axis", _NAMES, 0, _NAMES, high)}\n'
        + "\n".join(parts)
        + "\n</svg>"
    )


def _name(run: Run, runs: Sequence[Run], top: float) -> str:
    name = escape(name_among(run, runs))
    return f'<text x="{_NAMES - 10}" y="{top + 13:.1f}" text-anchor="end">{name}</text>'


def _figure(right: float, top: float, text: str) -> str:
    return (
        f'<text class="soft" x="{_NAMES + right + 8:.1f}" y="{top + 13:.1f}">{escape(text)}</text>'
    )


def _rect(
    kind: str, x: float, y: float, width: float, height: float = _BAR, *, title: str = ""
) -> str:
    about = f"<title>{escape(title)}</title>" if title else ""
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
        f'height="{height:.1f}">{about}</rect>'
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
