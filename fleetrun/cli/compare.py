"""`fleetrun compare`: what waiting costs, and what overlapping it is worth, measured."""

from __future__ import annotations

from fleetrun.cli.compare_modes import command

__all__ = ["command"]
