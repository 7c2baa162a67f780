"""Servers as fixtures: `sshd` is one for the whole run; `start_sshd` starts one to order.

So is `dask_cluster`, where `Cluster` makes one to order.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import ServerAccount, last_lines, require_sshd, start_mock_ssh, start_sshd

if TYPE_CHECKING:
    from dask_cluster import Cluster  # for the tests that ask for one


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAccount]:
    """An account on a real sshd, shared by all tests: leave it as it was."""
    with start_sshd(tmp_path_factory.mktemp("sshd")) as account:
        yield account


@pytest.fixture
def mock_ssh(tmp_path: Path) -> Iterator[ServerAccount]:
    """An account on mock-ssh-server, which runs commands in this machine's shell."""
    with start_mock_ssh(tmp_path) as account:
        yield account


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask cluster of two workers over TLS, shared by all tests: leave it as it was."""
    from dask_cluster import Cluster  # noqa: PLC0415 (for those alone)

    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.workers(2)
        yield cluster


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `sshd` on a machine without one; fail it when CI=true."""
    if item.get_closest_marker("sshd") is not None:
        require_sshd()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of what is shared with the failure of a test that uses it."""
    report = yield
    used = getattr(item, "funcargs", {})
    if report.failed and "sshd" in used:
        report.sections.append(("log of sshd", last_lines(used["sshd"].log)))
    if report.failed and "dask_cluster" in used:
        report.sections.append(("logs of the Dask cluster", used["dask_cluster"].logs()))
    return report
