"""Fixtures of the fault rows: every one runs in every mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from servers import ServerAccount, start_sshd
from trial import Trial

from fleetrun.executors import Mode


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave most modes out of a bare `pytest`, so that it takes a newcomer two minutes.

    Every row runs in every mode when the folder is asked for (`pytest tests/faults`), and in CI.
    """
    asked_for = any("faults" in argument for argument in config.invocation_params.args)
    if asked_for or os.environ.get("CI") == "true":
        return
    left_out = [item for item in items if _mode_of(item) not in {None, Mode.THREADS}]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _mode_of(item: pytest.Item) -> object:
    """Return the mode that a row runs in; None for a test that is no row."""
    if item.get_closest_marker("fault") is None:
        return None
    return item.callspec.params.get("trial") if isinstance(item, pytest.Function) else None


@pytest.fixture(params=list(Mode), ids=str)
def trial(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    user_key: Path,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Trial]:
    """A trial in each mode; afterwards nothing on the terminal may look like a traceback."""
    yield Trial(request.param, tmp_path, user_key, capfd)
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err


@pytest.fixture(scope="session")
def user_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key that no server knows: for those that let anybody in."""
    key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    path = tmp_path_factory.mktemp("user") / "key"
    path.touch(mode=0o600)
    path.write_bytes(key)
    return path


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAccount]:
    """An account on a real sshd, shared by all rows: leave it as it was."""
    with start_sshd(tmp_path_factory.mktemp("sshd")) as account:
        yield account
