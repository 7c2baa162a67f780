"""What the user sees: sinks that take events and write. Layer 5 of the road.

    events ─► Sinks ─┬─► Lines          each line as it comes, behind its host's name
                     ├─► JsonDocument   one document at the end
                     └─► Summary        how it went, on standard error

Only the main thread writes. Remote text never reaches a terminal unescaped.
"""

from __future__ import annotations

from fleetrun.output.color import Color
from fleetrun.output.json_document import JsonDocument
from fleetrun.output.lines import Lines
from fleetrun.output.sinks import Sink, Sinks
from fleetrun.output.summary import Summary
from fleetrun.output.writer import Writer

__all__ = ["Color", "JsonDocument", "Lines", "Sink", "Sinks", "Summary", "Writer"]
