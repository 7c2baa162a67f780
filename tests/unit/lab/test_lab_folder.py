"""The lab's folder, and what is refused before a lab is started."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from fleetrun import DependencyError, UsageError
from fleetrun.lab import Lab
from fleetrun.lab.folder import LabFolder


@pytest.fixture(autouse=True)
def _temporary_files_in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.parametrize("name", [None, "mine"], ids=["temporary", "given"])
def test_nobody_else_can_enter_the_folder(tmp_path: Path, name: str | None) -> None:
    folder = LabFolder.make(None if name is None else tmp_path / name)
    assert folder.path.parent == tmp_path
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_given_folder_is_absolute_however_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert LabFolder.make(Path("mine")).path == tmp_path / "mine"


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="exists; the lab makes its folder itself"):
        LabFolder.make(tmp_path)
    assert (tmp_path / "file").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the lab's folder cannot be made: .*/nowhere/mine"):
        LabFolder.make(tmp_path / "nowhere" / "mine")


def test_all_of_it_is_removed_and_nothing_that_it_links_to(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    folder = LabFolder.make(None)
    inside = folder.scratch("lab1") / "read-only"
    inside.mkdir(parents=True)
    (inside / "file").touch()
    (inside / "link").symlink_to(outside)
    os.chmod(inside, 0o500)  # noqa: PTH101 (a folder that its owner cannot change)
    folder.remove()
    assert not folder.path.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_removing_twice_is_no_error() -> None:
    folder = LabFolder.make(None)
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


@pytest.mark.parametrize("hosts", [0, -1])
def test_a_lab_has_at_least_one_host(hosts: int) -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        Lab(hosts)


@pytest.mark.parametrize("rtt_s", [-0.1, float("inf"), float("nan")])
def test_a_round_trip_takes_a_time_that_can_be_waited_for(rtt_s: float) -> None:
    with pytest.raises(UsageError, match="give 0 or more"):
        Lab(1, rtt_s=rtt_s)


def test_without_asyncssh_the_lab_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(DependencyError, match=r"pip install 'fleetrun\[lab\]'"), Lab(1):
        pass
    assert not list(tmp_path.iterdir())
