from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from fleetrun.compare.process_tree import ProcessTree, Watch
from fleetrun.runs import Peaks

psutil = pytest.importorskip("psutil", reason="psutil comes with the extra report")

PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'print(1, flush=True); input()'],\n"
    "                         stdin=subprocess.PIPE)\n"
    "input()\n"
    "child.communicate()\n"
)
"""A process with a child, both of which stay until the input of the parent ends."""


def two_processes() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def until_both_run(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"  # the grandchild's: it has the same output


@pytest.fixture
def children_from_before() -> Iterator[None]:
    """Have a child with a child of its own, as a practice fleet is one."""
    with two_processes() as process:
        until_both_run(process)
        yield
        process.communicate(b"\n")


@pytest.mark.usefixtures("children_from_before")
def test_children_that_were_there_before_are_not_of_the_tree_nor_are_theirs() -> None:
    look = ProcessTree().look()

    assert look.processes == 1
    assert look.threads == psutil.Process().num_threads()  # some know nothing of `threading`


@pytest.mark.usefixtures("children_from_before")
def test_children_that_come_later_are_of_the_tree_with_theirs() -> None:
    tree = ProcessTree()
    before = tree.look()
    with two_processes() as process:
        until_both_run(process)
        now = tree.look()
        process.communicate(b"\n")

    assert (now.processes, now.threads) == (3, (before.threads or 0) + 2)
    assert (now.descriptors or 0) > (before.descriptors or 0)
    assert (now.memory_bytes or 0) > (before.memory_bytes or 0)
    assert tree.look().processes == 1


def test_descriptors_are_those_that_are_open() -> None:
    tree = ProcessTree()
    before = tree.look().descriptors
    reader, writer = os.pipe()
    now = tree.look().descriptors
    os.close(reader)
    os.close(writer)

    assert (before, now) == (before, (before or 0) + 2)


def test_a_watch_keeps_the_most_of_each_and_leaves_its_own_thread_out() -> None:
    looks = [
        Peaks(threads=3, processes=1, descriptors=10, memory_bytes=500),
        Peaks(threads=9, processes=2, descriptors=8, memory_bytes=900),
        Peaks(threads=2, processes=4, descriptors=9, memory_bytes=100),
    ]
    all_looked_at = threading.Event()

    def look() -> Peaks:
        if len(looks) == 1:
            all_looked_at.set()
            return looks[0]
        return looks.pop(0)

    with Watch(look, every_s=0.001) as watch:
        assert all_looked_at.wait(30)

    assert watch.peaks == Peaks(threads=8, processes=4, descriptors=10, memory_bytes=900)


def test_a_watch_looks_once_at_least() -> None:
    with Watch(lambda: Peaks(threads=2, processes=1, descriptors=3, memory_bytes=4)) as watch:
        pass

    assert watch.peaks.threads == 1
