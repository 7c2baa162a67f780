from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def fleetrun(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> CommandLine:
    """The command line, in an empty folder, with no inventory in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("FLEETRUN_INVENTORY", "ANSIBLE_INVENTORY", "NO_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    command_line = CommandLine(monkeypatch, capfd)
    command_line.meets({})
    return command_line
