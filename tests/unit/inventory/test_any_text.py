"""Whatever stands in a file: it is an inventory, or an `InventoryError`; never anything else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetrun.errors import InventoryError
from fleetrun.inventory import Inventory, Targets

WORDS = st.sampled_from(
    [
        *(
            "web1",
            "web[1-3]",
            "a:b",
            "::1",
            "[web]",
            "[web:vars]",
            "[web:children]",
            "all",
            "hosts",
        ),
        *(
            "children",
            "vars",
            ":",
            "=",
            " ",
            "  ",
            "\n",
            "\n  ",
            "\t",
            "#",
            "'",
            '"',
            "\\",
            "{",
            "}",
        ),
        *(
            "[",
            "]",
            ",",
            "-",
            "&a",
            "*a",
            "<<",
            "!vault",
            "{{ x }}",
            "\u2028",
            "\x00",
            "\ud83d",
            "é",
        ),
        *(
            "ansible_port",
            "ansible_ssh_common_args",
            "-J",
            "-o",
            "22",
            "---",
            "|",
            ">",
            "null",
            "~",
        ),
    ]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=25).map("".join), st.text(max_size=40))


@pytest.mark.long
@pytest.mark.parametrize("ending", ["yaml", "ini", "json", "txt"])
@given(text=TEXTS)
@settings(deadline=None, derandomize=True)
def test_a_file_is_an_inventory_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, ending: str, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any-text.{ending}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(InventoryError):
        Inventory.load(Path(path)).select()


@given(text=TEXTS)
@settings(deadline=None, derandomize=True)
def test_a_list_a_pattern_and_a_filter_are_right_or_an_error(text: str) -> None:
    inventory = Inventory.of(["web[1-3]", "::1"])
    with contextlib.suppress(InventoryError):
        Inventory.of([text]).select()
    if "@" not in text:  # which would be a file
        with contextlib.suppress(InventoryError):
            inventory.matching(text)
    with contextlib.suppress(InventoryError):
        inventory.matching(Targets(where=text))
