"""I/O models: one thread reads many outputs, waiting for them in each way there is. Layer 7.

    measure_reading ─┬► SSH sessions, read raw and decoded ─┬► model(sources, calls) ─► ReadRun …
                     └► TCP streams, fed by python feed.py ─┘         └► greenlets.py for gevent

The sessions are fleetrun's own, logged in to as ever; the models take the reading of their sockets
over. A thousand logins would take longer than all the reading: there the same schedule of output
comes over plain TCP streams.
"""

from __future__ import annotations

from fleetrun.compare.reading.measure import measure_reading

__all__ = ["measure_reading"]
