from __future__ import annotations

from collections.abc import Iterator

import pytest
from elsewhere import Home

from fleetrun import home
from fleetrun.operations.sources import drop_copies


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Have this process work elsewhere, and return the home that answers it."""
    monkeypatch.setattr(home, "_ask_home", [])
    answering = Home()
    home.work_away(answering.ask)
    yield answering
    drop_copies()
