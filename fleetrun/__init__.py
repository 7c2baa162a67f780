"""fleetrun: run commands and move files on many hosts at once over SSH.

    from fleetrun import Fleet

    with Fleet.from_inventory("hosts.yaml", limit="web", mode="threads") as fleet:
        report = fleet.exec("uptime")
    for result in report.failed:
        print(result.host, result.outcome, result.error)

The names below are the library. They are imported when they are first used, so that
`import fleetrun` costs a millisecond and the command line starts at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleetrun.errors import (
        DependencyError as DependencyError,
    )
    from fleetrun.errors import (
        FleetrunError as FleetrunError,
    )
    from fleetrun.errors import (
        InventoryError as InventoryError,
    )
    from fleetrun.errors import (
        UsageError as UsageError,
    )
    from fleetrun.events import (
        Event as Event,
    )
    from fleetrun.events import (
        Finished as Finished,
    )
    from fleetrun.events import (
        Output as Output,
    )
    from fleetrun.events import (
        PhaseReached as PhaseReached,
    )
    from fleetrun.events import (
        Started as Started,
    )
    from fleetrun.executors.cluster import Dask as Dask
    from fleetrun.fleet import Fleet as Fleet
    from fleetrun.hosts import Host as Host
    from fleetrun.hosts import HostKeyPolicy as HostKeyPolicy
    from fleetrun.hosts import KeysFrom as KeysFrom
    from fleetrun.hosts import Secret as Secret
    from fleetrun.inventory import Inventory as Inventory
    from fleetrun.results import (
        Outcome as Outcome,
    )
    from fleetrun.results import (
        Phase as Phase,
    )
    from fleetrun.results import (
        Report as Report,
    )
    from fleetrun.results import (
        Result as Result,
    )
    from fleetrun.results import (
        Stream as Stream,
    )
    from fleetrun.waves import Waves as Waves

__version__ = "0.1.0"

_HOMES = {
    "Dask": "executors.cluster",
    "DependencyError": "errors",
    "Event": "events",
    "Finished": "events",
    "Fleet": "fleet",
    "FleetrunError": "errors",
    "Host": "hosts",
    "HostKeyPolicy": "hosts",
    "Inventory": "inventory",
    "InventoryError": "errors",
    "KeysFrom": "hosts",
    "Outcome": "results",
    "Output": "events",
    "Phase": "results",
    "PhaseReached": "events",
    "Report": "results",
    "Result": "results",
    "Secret": "hosts",
    "Started": "events",
    "Stream": "results",
    "UsageError": "errors",
    "Waves": "waves",
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604 (the keys above are strings)


def __getattr__(name: str) -> object:
    """Import a public name from the module it lives in (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fleetrun' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 (only the first use pays)

    return getattr(import_module(f"fleetrun.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
