"""The same work on the same hosts in several modes, measured. Layer 7 of the road.

    Comparison ─► warm-up, peaks ─► Fleet.events ─► measure ─► Round … ─► Run ─┐
                                         ▲                        │            │
                                         └──── the next mode ◄────┘            │
                       output ◄─ Compared ◄─ findings, flaws ◄─ with_speedups ◄┘

What is measured is `Fleet.events`, which is what users run: there is no second implementation of
the work in here, and nothing that writes.
"""

from __future__ import annotations

from fleetrun.compare.comparison import Comparison
from fleetrun.compare.explain import findings
from fleetrun.compare.fairness import flaws
from fleetrun.compare.machine import this_machine
from fleetrun.compare.speedup import with_speedups
from fleetrun.compare.workloads import Kind, Workload, prepared

__all__ = [
    "Comparison",
    "Kind",
    "Workload",
    "findings",
    "flaws",
    "prepared",
    "this_machine",
    "with_speedups",
]
