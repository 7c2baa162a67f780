"""The command line as tests call it: in this process, with fake hosts in place of SSH."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from fleetrun.cli import main
from fleetrun.testing import FakeConnect, FakeHost


@dataclass(frozen=True)
class Ran:
    """What one call of the command line came to."""

    code: int
    out: str
    err: str


class CommandLine:
    """Calls the command line and collects what it writes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def meets(self, hosts: Mapping[str, FakeHost]) -> None:
        """Make these the hosts that answer."""
        self._monkeypatch.setattr("fleetrun.fleet.SshConnect", lambda: FakeConnect(hosts))

    def __call__(self, *arguments: str) -> Ran:
        """Call it and return what came of it."""
        code = main(arguments)
        out, err = self._capfd.readouterr()
        return Ran(code=code, out=out, err=err)
