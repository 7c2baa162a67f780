"""The library's names: what is public is pinned here, and nothing else is."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import fleetrun

PUBLIC = [
    "Dask",
    "DependencyError",
    "Event",
    "Finished",
    "Fleet",
    "FleetrunError",
    "Host",
    "HostKeyPolicy",
    "Inventory",
    "InventoryError",
    "KeysFrom",
    "Outcome",
    "Output",
    "Phase",
    "PhaseReached",
    "Report",
    "Result",
    "Secret",
    "Started",
    "Stream",
    "UsageError",
    "Waves",
    "__version__",
]
SLOW = (
    *("paramiko", "cryptography", "click", "rich", "yaml", "gevent", "asyncio", "asyncssh"),
    *("dask", "distributed", "tornado"),
)
"""What `import fleetrun` must not cost; `fleetrun.Host` neither."""


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has imported after some code."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(ran.stdout.split())


def test_the_public_names_are_these() -> None:
    assert fleetrun.__all__ == PUBLIC
    assert dir(fleetrun) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(fleetrun, name) is not None


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("_")])
def test_a_public_name_says_what_it_is(name: str) -> None:
    thing = getattr(fleetrun, name)
    if inspect.isclass(thing):
        assert (thing.__doc__ or "").strip(), name
        assert thing.__module__.startswith("fleetrun.")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Fleat'"):
        fleetrun.Fleat  # noqa: B018


def test_importing_the_library_imports_next_to_nothing() -> None:
    bare = modules_after("pass")
    allowed = {"fleetrun", "__future__"} | modules_after("import typing")
    assert modules_after("import fleetrun") - bare <= allowed


@pytest.mark.parametrize("name", ["Host", "Report", "Fleet", "Inventory", "Dask"])
def test_a_name_does_not_bring_what_it_does_not_need(name: str) -> None:
    loaded = modules_after(f"from fleetrun import {name}")
    assert not [slow for slow in SLOW if slow in loaded]


def test_every_module_can_be_imported_and_says_what_it_is() -> None:
    for module in pkgutil.walk_packages(fleetrun.__path__, "fleetrun."):
        if module.name.endswith("__main__"):
            continue  # that one runs the program
        assert (importlib.import_module(module.name).__doc__ or "").strip(), module.name


def test_the_version_is_that_of_the_package() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "fleetrun", "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert fleetrun.__version__ in ran.stdout
