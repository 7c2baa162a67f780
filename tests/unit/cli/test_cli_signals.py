from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from fleetrun.cli.signals import Stop

SIGNALS = pytest.mark.parametrize(
    ("signum", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)


@SIGNALS
def test_the_first_signal_cancels_and_says_so(
    signum: signal.Signals, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled: list[bool] = []

    with Stop() as stop, stop.cancels(lambda: cancelled.append(True)):
        signal.raise_signal(signum)

    assert cancelled == [True]
    assert stop.exit_code == exit_code
    assert capsys.readouterr().err.startswith("fleetrun: stopping")


@SIGNALS
def test_with_nothing_to_cancel_a_signal_interrupts(signum: signal.Signals, exit_code: int) -> None:
    with Stop() as stop:
        with stop.cancels(lambda: None):
            pass
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signum)

    assert stop.exit_code == exit_code


@SIGNALS
def test_the_second_signal_ends_the_process_at_once(signum: signal.Signals, exit_code: int) -> None:
    code = f"""
import signal
from fleetrun.cli.signals import Stop
with Stop() as stop, stop.cancels(lambda: None):
    try:
        signal.raise_signal({int(signum)})
        print("went on", flush=True)
        signal.raise_signal({int(signum)})
    finally:
        print("cleaned up", flush=True)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert done.stdout == b"went on\n"
    assert done.returncode == exit_code


def test_the_handlers_are_given_back() -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]

    with Stop():
        assert signal.getsignal(signal.SIGTERM) != before[1]

    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop() as stop:
            signal.raise_signal(signal.SIGINT)

        assert stop.exit_code == 0
    finally:
        signal.signal(signal.SIGINT, before)
