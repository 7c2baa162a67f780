from __future__ import annotations

from pathlib import Path

import pytest

from fleetrun.cli.source import named_source
from fleetrun.errors import UsageError


@pytest.fixture(autouse=True)
def _nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLEETRUN_INVENTORY", raising=False)
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)


def test_the_option_then_our_variable_then_ansibles_then_the_folder_names_the_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hosts.yaml").touch()
    assert named_source(None) == "hosts.yaml"

    monkeypatch.setenv("ANSIBLE_INVENTORY", "ansible.yml")
    assert named_source(None) == "ansible.yml"

    monkeypatch.setenv("FLEETRUN_INVENTORY", "ours.yaml")
    assert named_source(None) == "ours.yaml"

    assert named_source("given.yaml") == "given.yaml"


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETRUN_INVENTORY", "")
    monkeypatch.setenv("ANSIBLE_INVENTORY", "ansible.yml")

    assert named_source(None) == "ansible.yml"


def test_without_any_the_error_names_every_way() -> None:
    with pytest.raises(UsageError) as caught:
        named_source(None)

    for way in ("-i", "$FLEETRUN_INVENTORY", "hosts.yaml", "--lab"):
        assert way in str(caught.value)
