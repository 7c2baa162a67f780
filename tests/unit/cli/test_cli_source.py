from __future__ import annotations

from pathlib import Path

import pytest

from fleetrun.cli.source import find_sources, named_sources
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
    assert named_sources(()) == (("hosts.yaml",), "hosts.yaml")

    monkeypatch.setenv("ANSIBLE_INVENTORY", "ansible.yml")
    assert named_sources(()) == (("ansible.yml",), "$ANSIBLE_INVENTORY")

    monkeypatch.setenv("FLEETRUN_INVENTORY", "ours.yaml")
    assert named_sources(()) == (("ours.yaml",), "$FLEETRUN_INVENTORY")

    assert named_sources(("given.yaml", "more,")) == (("given.yaml", "more,"), "-i")


def test_an_empty_variable_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEETRUN_INVENTORY", "")
    monkeypatch.setenv("ANSIBLE_INVENTORY", "ansible.yml")

    assert named_sources(()).sources == ("ansible.yml",)


@pytest.mark.parametrize(
    ("value", "sources"),
    [
        ("one.ini,two.ini", ("one.ini", "two.ini")),
        ("one.ini, two.ini,", ("one.ini", "two.ini")),
        ("one.ini", ("one.ini",)),
        ("web1,one.ini", ("web1,one.ini",)),
        ("web1,", ("web1,",)),
    ],
)
def test_ansibles_variable_may_name_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, sources: tuple[str, ...]
) -> None:
    for name in ("one.ini", "two.ini"):
        (tmp_path / name).touch()
    monkeypatch.setenv("ANSIBLE_INVENTORY", value)

    assert named_sources(()).sources == sources


def test_without_any_the_error_names_every_way() -> None:
    assert find_sources(()) is None
    with pytest.raises(UsageError) as caught:
        named_sources(())

    for way in ("-i", "$FLEETRUN_INVENTORY", "hosts.yaml", "-w", "--lab"):
        assert way in str(caught.value)
