"""Rows 51 to 58: descriptors, threads, processes, signals and pipes, in every mode."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from servers import ServerAccount, is_alive, wait_until
from trial import Trial

from fleetrun import Fleet, Host
from fleetrun.executors import Mode, make_plan
from fleetrun.results import Outcome, Phase
from fleetrun.session import Cancel, OnPhase, Session
from fleetrun.testing import FakeConnect, FakeHost, Rendezvous

WORKER_MODES = [Mode.PROCESSES, Mode.GREENLETS, Mode.HYBRID]
LOADED_MACHINE_S = 6.0
"""What a machine that is busy with other tests may add to a bound."""


def fakes(count: int) -> list[Host]:
    return [Host(name=f"h{number}") for number in range(count)]


def inventory(account: ServerAccount, names: Sequence[str]) -> str:
    """Return an inventory in which the account has that many names."""
    host = account.host("x")
    given = {
        "ansible_host": host.address,
        "ansible_port": host.port,
        "ansible_user": host.user,
        "known_hosts": " ".join(host.known_hosts),
        "ansible_ssh_private_key_file": host.private_key,
        "connect_timeout": 30,
    }
    lines = [
        "all:",
        "  vars:",
        *(f"    {key}: {json.dumps(value)}" for key, value in given.items()),
    ]
    return "\n".join([*lines, "  hosts:", *(f"    {name}:" for name in names)]) + "\n"


def command_line(trial: Trial, account: ServerAccount, *words: str, hosts: int) -> list[str]:
    """Return the command line that runs the words on so many hosts in the trial's mode."""
    file = trial.folder / "many.yaml"
    file.write_text(inventory(account, [f"h{number}" for number in range(hosts)]))
    options = ["-i", str(file), "--mode", trial.mode, "--ssh-config", "none"]
    return [sys.executable, "-m", "fleetrun", "exec", *options, *words]


def environment(trial: Trial) -> dict[str, str]:
    own = {"PATH": os.environ["PATH"], "HOME": str(trial.folder), "NO_COLOR": "1"}
    return own | {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


# --- a bad link ----------------------------------------------------------------------------------

ON_A_BAD_LINK = r"""
import json, re, subprocess, sys
from pathlib import Path

mode, folder, servers = sys.argv[1:]
sys.path.append(servers)
from fleetrun import Fleet
from servers import start_sshd

LINK = "tc qdisc add dev lo root tbf rate 8mbit burst 3000 limit 6000"  # what is more is dropped
for command in ("ip link set lo mtu 1500 up", LINK):
    subprocess.run(command.split(), check=True)
data = bytes(range(256)) * 256
patient = {"connect_timeout_s": 60.0, "login_timeout_s": 60.0, "command_timeout_s": 60.0}
with start_sshd(Path(folder)) as account:
    hosts = [account.host(f"h{number}", **patient) for number in range(4)]
    with Fleet(hosts, mode=mode, forks=4) as fleet:
        report = fleet.exec("cat", stdin=data)
shown = subprocess.check_output("tc -s qdisc show dev lo".split(), text=True)
sent, dropped = re.search(r"(\d+) pkt \(dropped (\d+)", shown).groups()
exact = sum(result.ok and result.stdout == data for result in report)
print(json.dumps({"exact": exact, "sent": int(sent), "dropped": int(dropped)}))
"""


def can_have_a_link_of_its_own() -> bool:
    """Whether this machine lets us make a network namespace with a narrow link in it."""
    script = "ip link set lo up && tc qdisc add dev lo root tbf rate 8mbit burst 3000 limit 6000"
    with contextlib.suppress(FileNotFoundError):
        tried = subprocess.run(
            ["unshare", "-n", "sh", "-c", script], check=False, capture_output=True
        )
        return tried.returncode == 0
    return False


@pytest.mark.fault(51, "8 Mbit link that drops one packet in ten or more", "slow, correct")
def test_row_51_a_link_that_loses_packets_is_slow_and_correct(
    trial: Trial, pytestconfig: pytest.Config
) -> None:
    if not can_have_a_link_of_its_own():
        pytest.skip("needs root, network namespaces and tc's token bucket filter (Linux)")
    servers = str(pytestconfig.rootpath / "tests" / "integration")
    ran = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", ON_A_BAD_LINK, trial.mode, trial.folder, servers],
        check=False,
        capture_output=True,
        text=True,
        env=environment(trial),
    )
    assert ran.returncode == 0, ran.stderr
    came = json.loads(ran.stdout)
    assert came["exact"] == 4
    assert came["dropped"] > 0.1 * (came["sent"] + came["dropped"])


# --- descriptors and threads ---------------------------------------------------------------------


@pytest.mark.fault(52, "40 descriptors, 100 hosts", "fewer at once with a warning, 100 results")
def test_row_52_few_descriptors_are_fewer_hosts_at_once(trial: Trial, sshd: ServerAccount) -> None:
    command = command_line(trial, sshd, "-f", "100", "--format=json", "true", hosts=100)
    limited = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", limited, *command],
        check=False,
        capture_output=True,
        text=True,
        env=environment(trial),
    )
    assert "Traceback" not in ran.stderr
    summary = json.loads(ran.stdout)["summary"]
    assert (ran.returncode, summary["ok"]) == (0, 100), ran.stderr
    warned = "the limit on open files is too low for more" in ran.stderr
    assert warned == (trial.mode is not Mode.SEQUENTIAL)


class ShortOfThreads:
    """Where it is unpickled, a `Connect` to fake hosts in a process that can start few threads."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return _refuse_threads, (self.threads,)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> Session:
        return FakeConnect()(host, on_phase, cancel)


def _refuse_threads(after: int) -> FakeConnect:
    left, start = [after], threading.Thread.start

    def start_or_refuse(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    setattr(threading.Thread, "start", start_or_refuse)  # noqa: B010 (mypy: not an assignment)
    return FakeConnect()


@pytest.mark.fault(53, "a thread cannot be started", "fewer at once, 100 results")
@pytest.mark.parametrize("threads", [1, 3])
def test_row_53_too_few_threads_are_fewer_hosts_at_once(
    trial: Trial, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)  # undone afterwards
    if trial.mode is not Mode.DASK:  # Dask itself needs some in this process
        _refuse_threads(threads)
    report = trial.run_all(fakes(100), connect=ShortOfThreads(threads), forks=16, within_s=30.0)
    assert report.counts[Outcome.OK] == 100


# --- processes -----------------------------------------------------------------------------------


def pid_at(meeting: Path, host: str) -> int:
    note = meeting / host
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"))
    return int(note.read_text())


@pytest.mark.fault(
    54,
    "a worker is killed in mid-run",
    "its running hosts are lost, its waiting hosts run elsewhere, all others are ok",
)
@pytest.mark.parametrize("trial", WORKER_MODES, ids=str, indirect=True)
def test_row_54_a_killed_worker_loses_what_it_ran_and_nothing_else(
    trial: Trial, tmp_path: Path
) -> None:
    log, meeting = tmp_path / "log", tmp_path / "meeting"
    meeting.mkdir()
    waits = FakeHost(log=log, rendezvous=Rendezvous(folder=meeting, count=9, patience_s=60.0))
    killer = threading.Thread(target=lambda: os.kill(pid_at(meeting, "h3"), signal.SIGKILL))
    killer.start()
    connect = FakeConnect({"h3": waits}, others=FakeHost(log=log))
    report = trial.run_all(fakes(200), connect=connect, forks=4, within_s=30.0)
    killer.join()
    width = make_plan(trial.mode, forks=4, hosts=200).width
    assert (report["h3"].outcome, report["h3"].phase) == (Outcome.LOST, Phase.RUN)
    assert "SIGKILL" in str(report["h3"].error)
    assert len(report.failed) <= width
    assert {result.outcome for result in report.failed} <= {Outcome.LOST, Outcome.UNREACHABLE}
    assert set(Counter(log.read_text().split()).values()) == {1}


@pytest.mark.fault(55, "the parent is killed", "no orphan after 3 s")
def test_row_55_no_process_outlives_its_parent(trial: Trial, tmp_path: Path) -> None:
    waits = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=99, patience_s=3600))
    script = f"""
        from pathlib import PosixPath, WindowsPath
        from fleetrun import Fleet, Host
        from fleetrun.testing import *

        connect = FakeConnect(others={waits!r})
        hosts = [Host(name=f"h{{number}}") for number in range(4)]
        Fleet(hosts, mode="{trial.mode}", forks=4, connect=connect).exec("true")
    """
    begun = 1 if trial.mode is Mode.SEQUENTIAL else 4
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    at_work = {pid_at(tmp_path, f"h{number}") for number in range(begun)}
    parent.kill()
    parent.wait()
    until = time.monotonic() + 3.0 + LOADED_MACHINE_S
    while any(map(is_alive, at_work)):
        assert time.monotonic() < until, "an orphan"
        time.sleep(0.02)


# --- signals on a terminal -----------------------------------------------------------------------


class OnTerminal:
    """A program with a terminal of its own, at which a test sits."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._screen, inner = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            command,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (one call)
        )
        os.close(inner)

    def press_ctrl_c(self) -> None:
        os.write(self._screen, b"\x03")

    def read_until(self, words: bytes) -> None:
        """Read the screen until it shows the words, or the program has ended."""
        until = time.monotonic() + 60.0
        while words not in self.shown:
            assert time.monotonic() < until, self.shown
            assert self._read(), self.shown

    def end(self, within_s: float) -> int:
        """Read to the end, which must come in time, and return the exit code."""
        began_s = time.monotonic()
        while self._read():
            assert time.monotonic() - began_s < 60.0, self.shown
        code = self.process.wait()
        assert time.monotonic() - began_s <= within_s + LOADED_MACHINE_S, self.shown
        assert b"Traceback" not in self.shown
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._screen)

    def _read(self) -> bool:
        if not select.select([self._screen], [], [], 0.2)[0]:
            return True
        with contextlib.suppress(OSError):  # EIO: all who could write are gone
            if piece := os.read(self._screen, 65536):
                self.shown += piece
                return True
        return False


@contextlib.contextmanager
def at_work(trial: Trial, account: ServerAccount) -> Iterator[tuple[OnTerminal, list[int]]]:
    """Yield the program when one host has ended and another one runs, for as long as this does.

    The numbers are the processes that serve it, on the server's side.
    """
    place = trial.folder
    remote = (
        f"if mkdir {place}/first 2>/dev/null; then echo well done; "
        f"else echo $$ $PPID >>{place}/pids; while [ -e {place}/on ]; do sleep 1; done; fi"
    )
    (place / "on").touch()
    terminal = OnTerminal(
        command_line(trial, account, "-f", "3", remote, hosts=12), environment(trial)
    )
    pids = place / "pids"
    try:
        terminal.read_until(b"well done")
        wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        yield terminal, [int(line.split()[1]) for line in pids.read_text().splitlines()]
    finally:
        terminal.close()
        (place / "on").unlink()  # ends those that begin too late to be in the list
        for line in pids.read_text().splitlines() if pids.exists() else ():
            shell, server = map(int, line.split())
            with contextlib.suppress(ProcessLookupError):
                os.kill(shell, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGCONT)


@pytest.mark.fault(
    56, "Ctrl-C, SIGTERM, on a terminal", "ended within 3 s; what finished is shown; 130, 143"
)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_row_56_a_signal_ends_the_run_in_order(
    trial: Trial, sshd: ServerAccount, signum: signal.Signals
) -> None:
    with at_work(trial, sshd) as (terminal, _):
        if signum is signal.SIGINT:
            terminal.press_ctrl_c()
        else:
            terminal.process.terminate()
        code = terminal.end(within_s=3.0)
    assert code == 128 + signum
    assert b"1 ok" in terminal.shown
    assert b"not run" in terminal.shown
    assert b"stopping: " in terminal.shown


@pytest.mark.fault(56, "Ctrl-C twice, on a terminal", "the second at once; 130")
def test_row_56_a_second_signal_ends_it_at_once(trial: Trial, sshd: ServerAccount) -> None:
    with at_work(trial, sshd) as (terminal, servers):
        for server in servers:
            os.kill(server, signal.SIGSTOP)  # so that the first one has something to wait for
        terminal.press_ctrl_c()
        terminal.read_until(b"stopping: ")
        terminal.press_ctrl_c()
        code = terminal.end(within_s=0.5)
    assert code == 128 + signal.SIGINT
    assert b"hosts: " not in terminal.shown, "it waited for the hosts"


# --- what it writes to ---------------------------------------------------------------------------

LINES = 8000
CHATTY = f"i=0; while [ $i -lt {LINES} ]; do echo line $i of a chatty host; i=$((i+1)); done"


@pytest.mark.fault(57, "stdout is a pipe whose reader goes away", "no traceback, not 0")
def test_row_57_a_reader_that_goes_away_ends_the_run(trial: Trial, sshd: ServerAccount) -> None:
    process = subprocess.Popen(
        command_line(trial, sshd, "-f", "3", CHATTY, hosts=3),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(trial),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"chatty" in process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() not in {0, None}
    assert b"Traceback" not in said
    assert b"cannot write the output: Broken pipe" in said


@pytest.mark.fault(57, "stdout is closed, or on a full disk", "no traceback, not 0")
@pytest.mark.parametrize("where", ["full", "closed"])
def test_row_57_an_output_that_cannot_be_written_is_said(
    trial: Trial, sshd: ServerAccount, where: str
) -> None:
    command = command_line(trial, sshd, "echo hello", hosts=3)
    shell = {"full": 'exec "$@" >/dev/full', "closed": 'exec "$@" >&-'}[where]
    ran = subprocess.run(
        ["sh", "-c", shell, "sh", *command],
        check=False,
        capture_output=True,
        text=True,
        env=environment(trial),
    )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    assert "cannot write the output" in ran.stderr


@pytest.mark.fault(57, "a slow reader at the other end of a FIFO", "it is waited for; all is there")
def test_row_57_a_slow_reader_gets_everything(trial: Trial, sshd: ServerAccount) -> None:
    fifo = trial.folder / "fifo"
    os.mkfifo(fifo)
    command = command_line(trial, sshd, "-q", "-f", "3", CHATTY, hosts=3)
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" >"$0"', str(fifo), *command], env=environment(trial)
    )
    with fifo.open("rb", buffering=0) as reader:
        wait_until(lambda: held(reader.fileno()) >= 32768)  # now it can write no more
        lines = b"".join(iter(lambda: reader.read(1000), b"")).splitlines()
    assert process.wait() == 0
    counts = Counter(line.split(b":")[0] for line in lines)
    assert counts == {b"h0": LINES, b"h1": LINES, b"h2": LINES}


def held(descriptor: int) -> int:
    """Return how many bytes wait to be read."""
    answer = bytearray(4)
    fcntl.ioctl(descriptor, termios.FIONREAD, answer)
    return int.from_bytes(answer, sys.byteorder)


@pytest.mark.fault(58, "one slow host of 500", "the others stream at once")
def test_row_58_a_slow_host_holds_up_no_other(trial: Trial, tmp_path: Path) -> None:
    last = "h499"  # all that one host after another can mean
    slow = last if trial.mode is Mode.SEQUENTIAL else "h0"
    waits = FakeHost(rendezvous=Rendezvous(folder=tmp_path, count=2, patience_s=60.0))
    connect = FakeConnect({slow: waits}, others=FakeHost(stdout=b"up"))
    with Fleet(fakes(500), mode=trial.mode, connect=connect) as fleet:
        results = fleet.stream("uptime")
        others = {next(results).host for _ in range(499)}
        assert slow not in others
        (tmp_path / "somebody").touch()
        (only,) = results
    assert (only.host, only.ok) == (slow, True)
