"""The line that ends a command's processes and says whether they are gone, run in each shell."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import wait_until

from fleetrun.ssh.markers import Group

pytestmark = pytest.mark.long

SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "busybox") if shutil.which(shell)]
every_shell = pytest.mark.parametrize("shell", SHELLS)

_STAY = "print('ready', flush=True); import time; time.sleep(600)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_STAY}"
_OWN_GROUP = f"import os; os.setpgid(0, 0); {_STAY}"
_OWN_SESSION = (
    f"import os, signal; os.setsid(); signal.signal(signal.SIGHUP, signal.SIG_IGN); {_STUBBORN}"
)
_WITH_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', %r]).wait()"


def kill_line(number: int) -> str:
    """Return the line for a group, once the group has said its number."""
    group = Group()
    marker = group.of("true").split('"')[2].split()[0]
    group.take(f"{marker} {number}\n".encode())
    assert group.known
    return group.kill_line()


def status_of(shell: str, line: str) -> int:
    words = ["busybox", "sh"] if shell == "busybox" else [shell]
    ran = subprocess.run([*words, "-c", line], check=False, capture_output=True, timeout=60)
    assert ran.stderr == b""
    return ran.returncode


@contextlib.contextmanager
def session(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run some Python as the leader of a session, until it says a word; end all of it."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


@every_shell
@pytest.mark.parametrize("code", [_STAY, _STUBBORN], ids=["heeds TERM", "needs KILL"])
def test_a_group_is_ended_and_gone(shell: str, code: str) -> None:
    with session(code) as process:
        assert status_of(shell, kill_line(process.pid)) == 0
        assert process.wait() < 0


@every_shell
def test_a_group_that_is_gone_already_is_gone(shell: str) -> None:
    with session("print()") as process:
        process.wait()
    assert status_of(shell, kill_line(process.pid)) == 0


@every_shell
def test_who_only_waits_to_be_collected_runs_no_more(shell: str) -> None:
    with session("print()") as process:
        look = ["ps", "-o", "stat=", "-p", str(process.pid)]
        wait_until(lambda: b"Z" in subprocess.check_output(look))
        assert status_of(shell, kill_line(process.pid)) == 0


@every_shell
@pytest.mark.parametrize("code", [_OWN_GROUP, _OWN_SESSION], ids=["group", "session"])
def test_a_group_or_session_of_its_own_below_it_is_ended_too(shell: str, code: str) -> None:
    """As `timeout` makes the one, and sudo the other where it has a terminal."""
    with session(_WITH_CHILD % code) as process:
        assert status_of(shell, kill_line(process.pid)) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""  # closed: nobody holds it any more


@every_shell
def test_what_may_not_be_signalled_is_not_said_to_be_gone(shell: str) -> None:
    """As a process under sudo may not, by whom it was started."""
    with session(_STAY) as process:
        line = kill_line(process.pid).replace("table()", "kill() { return 1; }; table()", 1)
        assert status_of(shell, line) == 1
        assert process.poll() is None


@every_shell
def test_without_ps_nothing_is_said_to_be_gone(shell: str) -> None:
    with session(_STUBBORN) as process:
        line = kill_line(process.pid).replace("table()", "ps() { return 127; }; table()", 1)
        assert status_of(shell, line) == 1
        assert process.poll() is None


@every_shell
@pytest.mark.parametrize("program", ["ps", "awk"])
def test_a_program_that_fails_later_says_nothing_of_what_is_gone(
    shell: str, program: str, tmp_path: Path
) -> None:
    fails = f'{program}() {{ [ -e {tmp_path}/once ] && return 127; command {program} "$@"; }}; '
    with session(_STUBBORN) as process:
        line = kill_line(process.pid).replace("table()", f"{fails}table()", 1)
        line = line.replace("sleep ", f"touch {tmp_path}/once; sleep ", 1)
        assert status_of(shell, line) == 1
        assert process.poll() is None


@every_shell
def test_another_group_is_left_alone(shell: str) -> None:
    with session(_STAY) as mine, session(_STAY) as other:
        assert status_of(shell, kill_line(mine.pid)) == 0
        assert other.poll() is None
