"""Variables beside the inventory: `group_vars/web.yml`, `host_vars/web1/main.yml`.

For each group and host that there is, of these the first one that exists:

    group_vars/web      a file, or a folder of files, with folders in it
    group_vars/web.yml  then .yaml, then .json
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from fleetrun.inventory.draft import PRIORITY, Draft, VarsFolder
from fleetrun.inventory.files import read_text
from fleetrun.inventory.place import Place
from fleetrun.inventory.tree import Mapping, is_nothing, kind
from fleetrun.inventory.variables import Layer, read_variables
from fleetrun.inventory.yaml_tree import parse_yaml

_ENDINGS = ("", ".yml", ".yaml", ".json")
_VAULT = "$ANSIBLE_VAULT;"


def read_vars_folders(folders: Iterable[Path], draft: Draft) -> None:
    """Add what stands beside the sources to the draft, for the hosts and groups that are in it.

    Of one folder that is named twice the last time counts. Raises `InventoryError` with the file
    and the line of whatever is wrong.
    """
    last = {folder.resolve(): folder for folder in reversed([*folders])}
    for folder in reversed(last.values()):
        groups = dict(_read_all(folder / "group_vars", draft.groups, draft))
        hosts = dict(_read_all(folder / "host_vars", draft.hosts, draft))
        if groups or hosts:
            draft.vars_folders.append(VarsFolder(groups=groups, hosts=hosts))


def _read_all(
    folder: Path, names: Iterable[str], draft: Draft
) -> Iterator[tuple[str, tuple[Layer, ...]]]:
    """Yield the layers of each name that has a file or folder here."""
    try:
        there = set(os.listdir(folder))  # noqa: PTH208 (the names; one look for 100,000 hosts)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Place(str(folder)).error(f"it cannot be read: {error.strerror}") from error
    for name in names:
        file = next((name + ending for ending in _ENDINGS if name + ending in there), None)
        if file is not None:
            layers = tuple(_layers(folder / file, draft))
            if layers:
                yield name, layers


def _layers(path: Path, draft: Draft) -> Iterator[Layer]:
    for file in _files(path) if path.is_dir() else (path,):
        layer = _read_file(file, draft)
        if layer:
            yield layer


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below it, in the order of their names."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if path.is_dir() and not path.suffix:
            yield from _files(path)
        elif path.is_file() and path.suffix in _ENDINGS:
            yield path


def _read_file(path: Path, draft: Draft) -> Layer:
    place = Place(str(path))
    text = read_text(path, place)
    if text.startswith(_VAULT):
        draft.remarks.add(place, "left out, since fleetrun opens no ansible-vault")
        return {}
    tree = parse_yaml(text, place.source)
    if tree is None or is_nothing(tree):
        return {}
    if not isinstance(tree, Mapping):
        raise Place(place.source, tree.line).error(
            f"a file of variables has a 'name:' on each line, and this is {kind(tree)}"
        )
    entries = dict(tree.entries)
    if entries.pop(PRIORITY, None) is not None:
        draft.remarks.add(place, f"{PRIORITY} is left out: it counts in the inventory itself alone")
    return read_variables(entries, place.source, draft.remarks)
