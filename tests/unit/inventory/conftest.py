"""Inventory files that are named as briefly in messages as a user would name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from fleetrun.inventory import Inventory, Overrides

Load = Callable[..., Inventory]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that loads text as the inventory `hosts.yaml`."""
    monkeypatch.chdir(tmp_path)

    def load(text: str | bytes, overrides: Overrides | None = None) -> Inventory:
        data = dedent(text).encode() if isinstance(text, str) else text
        (tmp_path / "hosts.yaml").write_bytes(data)
        return Inventory.load("hosts.yaml", overrides=overrides or Overrides())

    return load
