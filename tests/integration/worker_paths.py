"""Folders for a worker's PYTHONPATH that make it another one than this: other versions, or none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def other_versions(folder: Path, versions: Mapping[str, str]) -> Path:
    """Return a new folder that says that packages have other versions; their code is the same.

    It is `importlib.metadata` that believes it, when the folder stands first; a module's own
    `__version__` is what it was.
    """
    for package, version in versions.items():
        info = folder / f"{package}-{version}.dist-info"
        info.mkdir(parents=True)
        about = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        (info / "METADATA").write_text(about)
    return folder


def all_but_fleetrun(folder: Path) -> Path:
    """Return a new folder with every installed package but fleetrun, and nothing else.

    For an interpreter that is started with -S, to which nothing is installed: there, fleetrun can
    neither be imported nor has it a version.
    """
    folder.mkdir()
    for installed in map(Path, sys.path):
        if installed.name in {"site-packages", "dist-packages"} and installed.is_dir():
            for entry in installed.iterdir():
                there = folder / entry.name
                if "fleetrun" not in entry.name and not there.is_symlink():
                    there.symlink_to(entry)
    return folder
