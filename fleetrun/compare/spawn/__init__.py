"""What a worker costs: a thread, a greenlet, a process by fork, fork server and spawn. Layer 7.

    measure_workers ─► python bench.py, one for each kind ─► WorkerCost … ─► explain

The workers are not those of a fleet: the experiment is about what every pool is built from, so
they are made here, in a program of their own that has nothing else in it.
"""

from __future__ import annotations

from fleetrun.compare.spawn.measure import KINDS, measure_workers

__all__ = ["KINDS", "measure_workers"]
