"""Workers on the machines of a Dask cluster: the same jobs, the same supervisor, a longer line.

    Supervisor ─► Crew ─► DaskWorkplace ─► OutpostLine ─┐            this process
                                                        │ calls of an actor, numbered
                  worker process ◄─ WorkerProcess ◄─ Outpost         each Dask worker

Dask brings the scheduler, the transport and the deployments. Its tasks are not used, since those
are run again when their worker dies: an actor is not (tried with distributed 2026.8), and what is
said to one that is gone raises. So what an outpost was told may have happened, and nothing else.

distributed is imported when a cluster is first asked, not before.
"""

from __future__ import annotations

from fleetrun.executors.cluster.dask import Dask

__all__ = ["Dask"]
