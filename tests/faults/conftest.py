"""Fixtures of the fault rows: every one runs in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from servers import ServerAccount, start_sshd
from trial import Trial

from fleetrun.executors import Mode


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
