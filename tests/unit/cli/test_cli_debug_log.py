from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from fleetrun.cli.debug_log import debug_log
from fleetrun.errors import UsageError


def test_what_fleetrun_and_paramiko_log_goes_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "debug.log"

    with debug_log(str(path)):
        logging.getLogger("fleetrun.job").debug("ours")
        logging.getLogger("paramiko.transport").debug("theirs")
    logging.getLogger("fleetrun.job").error("too late")

    assert [line.rpartition(": ")[2] for line in path.read_text().splitlines()] == [
        "ours",
        "theirs",
    ]


@pytest.mark.parametrize("there_before", [True, False], ids=["old file", "new file"])
def test_only_its_owner_can_read_it(tmp_path: Path, *, there_before: bool) -> None:
    path = tmp_path / "debug.log"
    if there_before:
        path.touch(mode=0o644)

    with debug_log(str(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "debug.log"
    path.write_text("before\n")

    with debug_log(str(path)):
        logging.getLogger("fleetrun").warning("after")

    assert path.read_text().startswith("before\n")
    assert path.read_text().endswith("after\n")


def test_nothing_of_it_reaches_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # pytest listens at the root logger, where a real process has nobody.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    with debug_log(str(tmp_path / "debug.log")):
        logging.getLogger("fleetrun.job").error("a bug")
        logging.getLogger("paramiko").error("Exception in thread")

    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "debug.log"

    with (
        pytest.raises(UsageError, match=r"--debug-log .*debug.log: No such file"),
        debug_log(str(path)),
    ):
        pass


def test_the_loggers_are_left_as_they_were(tmp_path: Path) -> None:
    loggers = [logging.getLogger(name) for name in ("fleetrun", "paramiko")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]

    with debug_log(str(tmp_path / "debug.log")):
        pass

    assert [(logger.level, logger.handlers) for logger in loggers] == before
