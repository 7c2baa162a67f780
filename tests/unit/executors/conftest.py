"""What the runs of executors need of a machine: a cluster within this process alike on all."""

from __future__ import annotations

import pytest

from fleetrun.executors.cluster import dask, embedded, workplace


@pytest.fixture(autouse=True)
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an embedded cluster two workers, whatever the cores, and look after them often."""
    monkeypatch.setattr(embedded, "cores", lambda: 2)
    monkeypatch.setattr(dask, "cores", lambda: 2)
    monkeypatch.setattr(workplace, "LOOK_S", 0.1)
