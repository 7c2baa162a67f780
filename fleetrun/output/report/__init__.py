"""The report of a comparison, for a browser. Layer 5 of the road, one of the outputs."""

from __future__ import annotations

from fleetrun.output.report.page import compare_page

__all__ = ["compare_page"]
