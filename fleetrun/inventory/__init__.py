"""Inventories: from files and lists to resolved hosts. Layer 5 of the road; imports no executor."""

from __future__ import annotations

from fleetrun.inventory.inventory import Inventory
from fleetrun.inventory.overrides import Overrides
from fleetrun.inventory.resolution import Described
from fleetrun.inventory.targets import Targets

__all__ = ["Described", "Inventory", "Overrides", "Targets"]
