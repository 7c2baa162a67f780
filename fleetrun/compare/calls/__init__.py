"""Ways to call a fleet: what they hold up, and how soon the caller knows. Layer 7 of the road.

    measure_calls ─► style(Caller, Work) ─► Fleet.submit, exec, aexec, astream ─► CallRun ─► explain

What is called is the library as its users call it; a style is a dozen lines that they could write.
"""

from __future__ import annotations

from fleetrun.compare.calls.measure import measure_calls

__all__ = ["measure_calls"]
