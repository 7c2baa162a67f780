"""What `-i` names, read into a draft: which kind of source it is, and which layout it has.

-                        standard input
ssh_config:[FILE]        the aliases of ~/.ssh/config, or of that file
known_hosts:[FILE]       the names of ~/.ssh/known_hosts, or of that file
web1,web[2-9],           hosts, on the spot
FOLDER                   all inventories in it, in the order of their names
FILE                     a script that prints JSON, or YAML, JSON or INI
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from fleetrun.errors import InventoryError, UsageError
from fleetrun.hosts import SHELL_CHARACTERS, check_word
from fleetrun.inventory.ansible_yaml import read_ansible_yaml
from fleetrun.inventory.draft import UNGROUPED, Draft
from fleetrun.inventory.files import read_standard_input, read_text
from fleetrun.inventory.ini import read_ini
from fleetrun.inventory.inline import read_inline, read_listed
from fleetrun.inventory.known_names import USUAL_KNOWN_HOSTS, known_hosts_names
from fleetrun.inventory.place import Place
from fleetrun.inventory.script import is_script, run_script
from fleetrun.inventory.script_layout import has_script_layout, read_script_layout
from fleetrun.inventory.tree import Node, is_nothing
from fleetrun.inventory.words import split_words
from fleetrun.inventory.yaml_tree import parse_json, parse_yaml

STANDARD_INPUT = "-"
_SSH_CONFIG = "ssh_config"
_KNOWN_HOSTS = "known_hosts"

MAX_FOLDERS = 20
"""How deep folders may stand in each other; a link to a folder above would go on for ever."""

_YAML_ENDINGS = frozenset({".yaml", ".yml", ".json"})
_INI_ENDING = ".ini"
_NOT_READ = {".toml": "TOML"}

_PASSED_OVER = re.compile(
    r"\..*|host_vars|group_vars|vars_plugins"
    r"|.*(~|\.(pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry))"
)
"""What a folder may have beside inventories; Ansible's defaults (INVENTORY_IGNORE_EXTS)."""

_BEGINS_AS_YAML = re.compile(
    r"""---|%YAML|-\s|("[^"]*"|'[^']*'|[^\s=\[\]"'][^\s=\[\]]*)\s*:(\s|$)"""
)
"""A document, a list, or `key:`; the lines of an INI file begin with a host or `[GROUP]`."""


def read_source(source: str | Path, origin: str, draft: Draft) -> Path | None:
    """Add what the source says to the draft; a `Path` is always a file or folder.

    The origin is what an error in hosts on the spot points to (`-i`). Returns the folder in which
    `group_vars/` and `host_vars/` belong to the source; None when it is no file.
    """
    if isinstance(source, str) and _read_what_is_no_file(source, origin, draft):
        return None
    if not source:  # as a path that would be the folder that we are in
        raise Place(origin).error("the name of the inventory is empty")
    path = Path(source)
    _read_path(path, draft, depth=0)
    return path if path.is_dir() else path.parent


def _read_what_is_no_file(source: str, origin: str, draft: Draft) -> bool:
    kind, colon, file = source.partition(":")
    if source == STANDARD_INPUT:
        place = Place("standard input")
        _read_document(read_standard_input(place), place, "", draft)
    elif kind == _SSH_CONFIG and colon:
        _read_ssh_config(file, draft)
    elif kind == _KNOWN_HOSTS and colon:
        path = Path(file or USUAL_KNOWN_HOSTS).expanduser()
        read_listed(known_hosts_names(path, draft.remarks), draft)
    elif "," in source and not _exists(source):
        read_inline(split_words(source), Place(origin), draft)
    else:
        return False
    return True


def _read_ssh_config(file: str, draft: Draft) -> None:
    """Add the aliases; what there is to say of each is looked up when it is connected to."""
    from fleetrun.ssh.config import SshConfig  # noqa: PLC0415 (few inventories are made of it)

    try:
        config = SshConfig.load(file or None)
    except UsageError as error:
        raise InventoryError(str(error)) from error
    place = Place(", ".join(config.files))
    for name in config.names:
        try:
            check_word("host name", name, forbidden=SHELL_CHARACTERS)
        except InventoryError as error:
            raise place.error(error.message) from error
        draft.add_host(name, place, group=UNGROUPED, told={"ssh_config": file} if file else {})


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # no file can have so long a name
        return False


def _read_path(path: Path, draft: Draft, *, depth: int) -> None:
    place = Place(str(path))
    try:
        mode = path.stat().st_mode
        names = sorted(os.listdir(path)) if stat.S_ISDIR(mode) else []  # noqa: PTH208 (the names)
        script = stat.S_ISREG(mode) and is_script(path)
    except FileNotFoundError as error:
        raise place.error(
            "there is no such file; a list of hosts is written with a comma: 'web1,web2,'"
        ) from error
    except OSError as error:
        raise place.error(f"it cannot be read: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise place.error(f"it cannot be read: {error}") from error
    if depth > MAX_FOLDERS:
        raise place.error(f"folders stand more than {MAX_FOLDERS} levels deep in each other")
    if script:
        _read_script(path, draft)
    elif not stat.S_ISDIR(mode):
        _read_document(read_text(path, place), place, path.suffix, draft)
    for name in names:
        if not _PASSED_OVER.fullmatch(name):
            _read_path(path / name, draft, depth=depth + 1)


def _read_script(path: Path, draft: Draft) -> None:
    source = f"{path} --list"
    tree = _printed_tree(run_script(path, "--list", remarks=draft.remarks), source)
    if tree is None:
        raise Place(source).error("it prints nothing; an inventory as JSON is wanted")

    def ask_host(name: str) -> tuple[Node | None, str]:
        text = run_script(path, "--host", name, remarks=draft.remarks)
        return _printed_tree(text, f"{path} --host {name}"), f"{path} --host {name}"

    read_script_layout(tree, source, draft, ask_host=ask_host)


def _printed_tree(text: str, source: str) -> Node | None:
    if text.strip() and not text.lstrip().startswith("{"):
        raise Place(source).error("it prints something else than a JSON object")
    return parse_json(text, source)


def _read_document(text: str, place: Place, ending: str, draft: Draft) -> None:
    """Read a text in the layout that its ending or its first line shows."""
    if text.startswith("#!"):
        raise place.error("it begins as a script does, and is not executable: chmod +x it")
    if ending in _NOT_READ:
        raise place.error(f"{_NOT_READ[ending]} is not read; write YAML, JSON or INI")
    json = text.lstrip().startswith("{")
    if not (json or ending in _YAML_ENDINGS or (ending != _INI_ENDING and _begins_as_yaml(text))):
        read_ini(text, place.source, draft)
        return
    tree = (parse_json if json else parse_yaml)(text, place.source)
    if tree is None or is_nothing(tree):
        return
    read = read_script_layout if json and has_script_layout(tree) else read_ansible_yaml
    read(tree, place.source, draft)


def _begins_as_yaml(text: str) -> bool:
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and line[0] not in "#;"), "")
    return _BEGINS_AS_YAML.match(first) is not None
