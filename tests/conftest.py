"""What every test is held to: threads, descriptors and child processes end with it.

And which tests a bare `pytest` runs: see `pytest_addoption`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from fleetrun.executors import Mode

_QUICK_MODES = {Mode.SEQUENTIAL, Mode.THREADS, Mode.PROCESSES}
_ENGINE = ("tests/unit/executors/", "tests/unit/test_fleet")
"""Where the modes themselves are the matter: a quick run has three of them there, elsewhere one."""

_FAULTS = Path(__file__).parent / "faults"
_FAULTS_OVER_DASK = {"test_rows_51_to_58.py", "test_copying.py", "test_telling.py"}

_PATIENCE_S = 5.0
_POLL_S = 0.02
_OWN_DESCRIPTORS = Path("/proc/self/fd")
_PROCESSES = Path("/proc")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--every`.

    A bare `pytest` is for a newcomer: it leaves out the fault rows, what is marked `long`, and most
    modes. Nearly everything runs with CI=true, and where files or folders are named, as in
    `pytest tests/faults`: all but faults of hosts over Dask (see `_is_for_every`). Everything runs
    with `--every`.
    """
    parser.addoption("--every", action="store_true", help="run every test in every mode")


def _is_quick(config: pytest.Config) -> bool:
    """Return whether this is a quick run; a process of pytest-xdist is told what its parent is."""
    told: bool | None = getattr(config, "workerinput", {}).get("quick")
    if told is not None:
        return told
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return not (named or config.getoption("every") or os.environ.get("CI") == "true")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 (pytest-xdist has no types)
    """Tell a process of pytest-xdist what this one is."""
    node.workerinput["quick"] = _is_quick(node.config)
    node.workerinput["every"] = node.config.getoption("every")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Use two processes a core, since tests mostly wait; none for files that are named."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        return 0
    return 2 * (os.cpu_count() or 1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read the fault rows for a quick run."""
    return True if collection_path == _FAULTS and _is_quick(config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a quick run does without, and what only `--every` is for."""
    left_out = [item for item in items if _is_for_every(item)]
    if config.getoption("every") or getattr(config, "workerinput", {}).get("every"):
        left_out = []
    if _is_quick(config):
        left_out += [item for item in items if _can_wait(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_for_every(item: pytest.Item) -> bool:
    """Whether it is a fault of hosts over Dask, where that is but a longer way to the same workers.

    The rows about worker processes, copying and what is told are run there in any case.
    """
    if item.path.parent != _FAULTS or item.path.name in _FAULTS_OVER_DASK:
        return False
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return Mode.DASK in [each for each in parameters if isinstance(each, Mode)]


def _can_wait(item: pytest.Item) -> bool:
    if item.get_closest_marker("long"):
        return True
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    modes = {each for each in parameters if isinstance(each, Mode)}
    return not modes <= (_QUICK_MODES if item.nodeid.startswith(_ENGINE) else {Mode.THREADS})


@pytest.fixture(scope="session", autouse=True)
def _one_resource_tracker() -> None:
    """Start what multiprocessing starts once and keeps, before anybody counts."""
    resource_tracker.ensure_running()


@pytest.fixture(scope="session")
def open_fonts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have matplotlib open its fonts, which it does once and keeps; for tests that draw."""
    from fleetrun.output.figure import drawn  # noqa: PLC0415 (for those alone)

    with drawn(tmp_path_factory.mktemp("fonts") / "a.svg", title="a", inches=(1, 1)) as (panel,):
        panel.set_title("bold")


@pytest.fixture(scope="session", autouse=True)
def _no_ssh_config() -> Iterator[None]:
    """Keep what the developer's own ssh_config says out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEETRUN_SSH_CONFIG", "none")
        yield


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(
    _one_resource_tracker: None, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Fail a test that leaves anything running or open that was not there before it.

    What dies away by itself gets a few seconds. A test that has failed is not examined: its
    traceback keeps its variables, and so what they hold, alive. Descriptors and child processes
    are counted where there is a /proc.
    """
    failed_before = request.session.testsfailed
    before = _everything()
    yield
    if request.session.testsfailed > failed_before:
        return
    until = time.monotonic() + _PATIENCE_S
    while left := _everything() - before:
        if time.monotonic() > until:
            pytest.fail("left behind:\n  " + "\n  ".join(sorted(left)), pytrace=False)
        time.sleep(_POLL_S)


def _everything() -> set[str]:
    return _threads() | _descriptors() | _children()


def _threads() -> set[str]:
    """Return the threads, but for the one that Dask starts once in a process and keeps."""
    return {
        f"thread {thread.name} ({thread.ident})"
        for thread in threading.enumerate()
        if not thread.name.startswith("Dask-Offload")
    }


def _descriptors() -> set[str]:
    """Return the open descriptors, with what they are of, so that a number used again shows."""
    found = set()
    for entry in _OWN_DESCRIPTORS.iterdir() if _OWN_DESCRIPTORS.exists() else ():
        with suppress(FileNotFoundError):  # the one that lists them
            found.add(f"descriptor {entry.name} of {entry.readlink()}")
    return found


def _children() -> set[str]:
    """Return the child processes, ended ones that nobody has waited for included."""
    found = set()
    for number in _child_numbers():
        with suppress(FileNotFoundError, ProcessLookupError):  # ended in between
            stat = (_PROCESSES / number / "stat").read_text(errors="replace")
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                found.add(f"process {stat.rpartition(')')[0]})")
    return found


def _child_numbers() -> set[str]:
    """Return the numbers of the child processes; of all where the kernel keeps no list."""
    lists = list(_PROCESSES.glob("self/task/*/children"))
    if not lists:
        return {entry.name for entry in _PROCESSES.glob("[0-9]*")}
    numbers: set[str] = set()
    for each in lists:
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            numbers.update(each.read_text().split())
    return numbers
