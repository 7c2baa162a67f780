"""A comparison as one page of HTML that fetches nothing: for a browser, a printer, an attachment.

    Compared ─► what was done, what the figures say ─► tables ─► charts ─► timelines ─► the machine

The charts are SVG and are there without JavaScript, which only zooms and moves the timelines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from fleetrun.output.compare_columns import Column, columns
from fleetrun.output.lanes import lanes
from fleetrun.output.phase_looks import LOOKS
from fleetrun.output.report.charts import latency_chart, overlap_chart, timeline, wall_chart
from fleetrun.runs import Compared, Machine, Run, name_among

_HEADINGS = ("Time", "What it cost on this side", "Where the time of a host went")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""What a browser may fetch for the page: nothing."""
_MOST_LANES = 128
"""More lanes of a run than this are counted, not drawn."""


def compare_page(compared: Compared) -> str:
    """Return the page. Names and commands in it are text, whatever is in them."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            *_head(compared),
            "<body>",
            *_opening(compared),
            *_tables(compared.runs),
            *_charts(compared.runs),
            *_timelines(compared.runs),
            *_machine(compared.machine),
            f"<script>\n{_resource('report.js')}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(compared: Compared) -> Iterator[str]:
    own = "".join(f".{phase}{{fill:{look.color}}}" for phase, look in LOOKS.items())
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>fleetrun compare: {escape(compared.work)}</title>"
    yield f"<style>\n{_resource('report.css')}{own}\n</style>"
    yield "</head>"


def _opening(compared: Compared) -> Iterator[str]:
    runs = compared.runs
    yield f"<h1>One piece of work, {_counted(len(runs), 'way')} of doing it</h1>"
    hosts, rounds = _counted(runs[0].hosts, "host"), _counted(len(runs[0].rounds), "round")
    yield (
        f'<p class="soft"><code>{escape(compared.work)}</code> on {hosts}, {rounds}, '
        f"{escape(compared.machine.began_at)}</p>"
    )
    yield f"<pre>{escape(compared.machine.command)}</pre>"
    if compared.explanation:
        yield f'<div class="said"><p>{escape(" ".join(compared.explanation))}</p></div>'
    if compared.flaws:
        yield '<div class="said flaws"><p>What is not fair about it:</p><ul>'
        yield from (f"<li>{escape(flaw)}</li>" for flaw in compared.flaws)
        yield "</ul></div>"


def _tables(runs: Sequence[Run]) -> Iterator[str]:
    best = min(runs, key=lambda run: (not run.comparable, run.wall_seconds))
    for heading, table in zip(_HEADINGS, columns(runs), strict=True):
        yield f'<h2>{heading}</h2>\n<div class="scroll"><table>'
        yield f"<thead><tr>{''.join(map(_title, table))}</tr></thead>\n<tbody>"
        for run in runs:
            kind = "best" if run is best else "" if run.comparable else "broken"
            yield f'<tr class="{kind}">{"".join(_cell(column, run) for column in table)}</tr>'
        yield "</tbody></table></div>"


def _title(column: Column) -> str:
    kind = ' class="text"' if column.is_text else ""
    return f'<th{kind} title="{escape(column.about)}">{escape(column.one_line)}</th>'


def _cell(column: Column, run: Run) -> str:
    kind = ' class="text"' if column.is_text else ""
    return f"<td{kind}>{escape(column.cell(run))}</td>"


def _charts(runs: Sequence[Run]) -> Iterator[str]:
    yield from _figure("Wall time", wall_chart(runs), "Median of the rounds; the line: min to max.")
    yield from _figure(
        "Concurrency and parallelism",
        overlap_chart(runs),
        "Blue: hosts at once on average, which is concurrency. Orange: processor cores busy on "
        "this side, which is parallelism. Both over the wall time.",
    )
    yield from _figure(
        "A host, phase by phase",
        latency_chart(runs),
        "Bars: the mean of all hosts. Lines: what 50, 95 and 99 of 100 hosts did not exceed.",
    )
    yield _legend(runs)


def _figure(heading: str, svg: str, caption: str) -> Iterator[str]:
    yield f"<h2>{heading}</h2>"
    yield f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _legend(runs: Sequence[Run]) -> str:
    seen = [phase for phase in LOOKS if any(phase in run.phase_seconds for run in runs)]
    entries = [f'<span style="--own:{LOOKS[phase].color}">{phase}</span>' for phase in seen]
    return f'<div class="legend">{"".join(entries)}</div>'


def _timelines(runs: Sequence[Run]) -> Iterator[str]:
    yield "<h2>Who worked on which host, when</h2>"
    yield (
        '<p class="soft">A lane is a thread, a greenlet or a worker process; a bar is a host, from '
        "its start to its end. Each from the round that was nearest to the median.</p>"
    )
    yield _legend(runs)
    yield (
        '<div class="controls"><button id="in" title="Zoom in">+</button>'
        '<button id="out" title="Zoom out">−</button>'  # noqa: RUF001 (the sign)
        '<button id="all">All</button>'
        '<label><input type="checkbox" id="alike"> the same scale for all</label>'
        '<span class="soft">Drag to move; double-click, or Ctrl and the wheel, to zoom.</span>'
        "</div>"
    )
    for run in runs:
        yield from _timeline(run, runs)


def _timeline(run: Run, runs: Sequence[Run]) -> Iterator[str]:
    found = lanes(run)
    shown = found[:_MOST_LANES]
    wall_seconds = run.typical.wall_seconds
    title = f"{name_among(run, runs)}, {run.width} at once, {wall_seconds:.2f} s"
    names = "".join(f"<div>{escape(lane.name)}</div>" for lane in shown)
    yield f"<h3>{escape(title)}</h3>"
    yield f'<div class="lanes" data-wall="{1e6 * wall_seconds:.0f}">'
    yield f'<div class="names">{names}</div>'
    yield f'<div class="drawing">{timeline(shown, wall_seconds, title)}'
    yield '<div class="ticks"><span style="left:0">0 s</span><span style="left:100%">'
    yield f"{wall_seconds:.2f} s</span></div></div></div>"
    if len(found) > len(shown):
        yield f'<p class="soft">and {len(found) - len(shown)} more lanes</p>'


def _machine(machine: Machine) -> Iterator[str]:
    load = "not known" if machine.load is None else f"{machine.load:.2f} before the first run"
    facts = [
        ("system", machine.system),
        ("cores", str(machine.cores)),
        ("load", load),
        *machine.versions,
        ("began", machine.began_at),
    ]
    yield "<h2>The machine</h2>\n<dl>"
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    yield "</dl>"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _resource(name: str) -> str:
    return files("fleetrun.output.report").joinpath(name).read_text(encoding="utf-8")
