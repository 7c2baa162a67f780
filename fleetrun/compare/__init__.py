"""The same work on the same hosts in several modes, measured. Layer 7 of the road.

    Comparison ─► warm-up ─► Fleet.events ─► measure ─► Run ─┐
                                  ▲                          ├─► with_speedups ─► output
                                  └────── the next mode ◄────┘

What is measured is `Fleet.events`, which is what users run: there is no second implementation of
the work in here, and nothing that writes.
"""

from __future__ import annotations

from fleetrun.compare.comparison import Comparison
from fleetrun.compare.speedup import with_speedups

__all__ = ["Comparison", "with_speedups"]
