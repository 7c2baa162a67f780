"""More tasks than processors: what overlaps on one, and what on several. Layer 7 of the road.

    measure_tasks ─┬► python task.py, one or several, pinned ─► TaskRun …    ─┬─► explain
                   └► python counter.py                      ─► CounterRun … ─┘

The tasks are not hosts: a host's computing happens elsewhere, and here it is to be seen where it
happens. They are processes or threads of programs of their own, which alone are pinned.
"""

from __future__ import annotations

from fleetrun.compare.multiprogramming.measure import Tasks, measure_tasks

__all__ = ["Tasks", "measure_tasks"]
