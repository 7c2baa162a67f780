"""Warnings, alike ones once."""

from __future__ import annotations

from fleetrun.inventory.place import Place
from fleetrun.inventory.remarks import Remarks


def test_what_is_true_of_several_names_in_a_file_is_said_once() -> None:
    remarks = Remarks()
    for line, name in enumerate("abcabdefg", start=1):
        remarks.add(Place("hosts.yaml", line), "they are odd", name)
    remarks.add(Place("other.yaml", 3), "they are odd", "a")
    assert remarks.sentences() == (
        "hosts.yaml:1: they are odd: a, b, c, d, e and 2 more",
        "other.yaml:3: they are odd: a",
    )


def test_what_is_true_several_times_is_said_once() -> None:
    remarks = Remarks()
    for sentence, times in (("once", 1), ("twice", 2), ("often", 3)):
        for line in range(times):
            remarks.add(Place("hosts.yaml", line + 1), sentence)
    assert remarks.sentences() == (
        "hosts.yaml:1: once",
        "hosts.yaml:1: twice (and once more)",
        "hosts.yaml:1: often (and 2 times more)",
    )


def test_there_is_an_end_to_them() -> None:
    remarks = Remarks()
    for number in range(1000):
        remarks.add(Place(f"file {number}"), "it is odd")
    *shown, last = remarks.sentences()
    assert len(shown) == 50
    assert last == "and 950 more warnings about the inventory"
