"""Inventory files that are named as briefly in messages as a user would name them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from fleetrun.inventory import Inventory, Overrides

Load = Callable[..., Inventory]
Write = Callable[[dict[str, str | bytes]], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes files into the folder that one is in then, by their names."""
    monkeypatch.chdir(tmp_path)

    def write(files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dedent(content).encode() if isinstance(content, str) else content)
            if name.endswith(".sh"):
                path.chmod(0o755)

    return write


@pytest.fixture
def load(write: Write) -> Load:
    """Return a function that loads text as the inventory `hosts.yaml`, or as one of that name."""

    def load(
        text: str | bytes, overrides: Overrides | None = None, name: str = "hosts.yaml"
    ) -> Inventory:
        write({name: text})
        return Inventory.load(name, overrides=overrides or Overrides())

    return load
