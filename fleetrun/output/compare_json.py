"""A comparison as one JSON document, for programs."""

from __future__ import annotations

import dataclasses
import json

from fleetrun.output.writer import Writer
from fleetrun.runs import Compared, Machine, Round, Run, Span, Usage, percentile


def write_compare_json(compared: Compared, out: Writer) -> None:
    r"""Write the document: one run a line, in the order in which they were asked for.

    What is not ASCII is written as `\u…`. Raises `OSError` when it cannot be written.
    """
    rest = {
        "work": compared.work,
        "flaws": list(compared.flaws),
        "explanation": list(compared.explanation),
        "machine": machine_as_json(compared.machine),
    }
    lines = ",\n".join(json.dumps(run_as_json(run)) for run in compared.runs)
    others = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in rest.items())
    out.write(f'{{"runs": [\n{lines}\n],\n{others}}}\n'.encode())


def run_as_json(run: Run) -> dict[str, object]:
    """Return one run as JSON's types; fields may be added, and none is renamed.

    A figure of the run is the median of its rounds'; None is null.
    """
    shortest, longest = run.wall_spread
    return {
        "mode": run.mode,
        "forks": run.forks,
        "workers": run.workers,
        "wall_seconds": _rounded(run.wall_seconds),
        "wall_seconds_min": _rounded(shortest),
        "wall_seconds_max": _rounded(longest),
        "cpu_seconds": _rounded(run.cpu_seconds),
        **_usage(run.usage),
        "cores_busy": _rounded(run.cores_busy),
        "speedup": _rounded(run.speedup),
        "efficiency": _rounded(run.efficiency),
        "peak_overlap": run.peak_overlap,
        "mean_overlap": _rounded(run.mean_overlap),
        "start_seconds": _rounded(run.start_seconds),
        **_peaks(run),
        "latency_seconds": {
            f"p{100 * share:.0f}": _rounded(percentile(run.latencies, share))
            for share in (0.5, 0.95, 0.99)
        },
        "phase_seconds": {phase: _rounded(spent) for phase, spent in run.phase_seconds.items()},
        "ok": run.ok,
        "not_ok": run.not_ok,
        "exit_code": run.exit_code,
        "problem": run.problem,
        "rounds": [_round_as_json(each) for each in run.rounds],
        "timeline": [_span_as_json(span) for span in run.typical.spans],
    }


def machine_as_json(machine: Machine) -> dict[str, object]:
    """Return the machine as JSON's types."""
    return {
        "system": machine.system,
        "cores": machine.cores,
        "load": machine.load,
        "versions": dict(machine.versions),
        "command": machine.command,
        "began_at": machine.began_at,
    }


def _usage(usage: Usage | None) -> dict[str, object]:
    return {
        "user_seconds": None if usage is None else _rounded(usage.user_seconds),
        "system_seconds": None if usage is None else _rounded(usage.system_seconds),
        "voluntary_switches": None if usage is None else usage.voluntary_switches,
        "involuntary_switches": None if usage is None else usage.involuntary_switches,
    }


def _peaks(run: Run) -> dict[str, object]:
    peaks = {} if run.peaks is None else dataclasses.asdict(run.peaks)
    names = ("threads", "processes", "descriptors", "memory_bytes")
    return {f"peak_{name}": peaks.get(name) for name in names}


def _round_as_json(each: Round) -> dict[str, object]:
    return {
        "wall_seconds": _rounded(each.wall_seconds),
        **_usage(each.usage),
        "peak_overlap": each.peak_overlap,
        "mean_overlap": _rounded(each.mean_overlap),
        "ok": each.ok,
        "not_ok": each.not_ok,
    }


def _span_as_json(span: Span) -> dict[str, object]:
    return {
        "host": span.host,
        "process": span.process,
        "thread": span.thread,
        "begin_seconds": _rounded(span.begin_s),
        "seconds": _rounded(span.seconds),
        "phase_seconds": {phase: _rounded(spent) for phase, spent in span.phases},
        "ok": span.ok,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
