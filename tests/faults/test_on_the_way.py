"""Rows 16, 17, 47, 48, 51 and 67: harm that is done on the way, or to the host as a whole."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import ServerAccount, start_sshd, wait_until
from trial import Trial, ended

from fleetrun.executors import Mode
from fleetrun.faults import Direction, FaultProxy, SteppingClock
from fleetrun.hosts import Host
from fleetrun.results import Outcome, Phase
from fleetrun.ssh import SshConnect

MIB = 1024 * 1024
QUICK = SshConnect(alive_interval_s=0.3, alive_count=3)
SILENCE_S = 4 * 0.3
"""The silence after which QUICK gives a host up: three questions, and the wait for the last."""
PAYLOAD_AT = 5
"""After the lengths of a packet and of its padding. Padding in the clear counts for nothing."""
WAYS = [Direction.TO_SERVER, Direction.TO_CLIENT]


def behind(trial: Trial, proxy: FaultProxy, account: ServerAccount, **changes: object) -> Host:
    """Return the account as a host that is reached through the proxy."""
    line = Path(account.known_hosts).read_text()
    trial.vouch(line.replace(f":{account.port} ", f":{proxy.port} "))
    known_hosts = (str(trial.known_hosts),)
    return account.host(
        f"web{proxy.port}",
        **{"port": proxy.port, "known_hosts": known_hosts, "command_timeout_s": 20.0, **changes},
    )


@contextlib.contextmanager
def once(is_so: Callable[[], bool], then: Callable[[], None]) -> Iterator[None]:
    """Do something as soon as something is so, while the block runs."""

    def wait() -> None:
        wait_until(is_so)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.fault(16, "one byte flipped in mid-command", "lost, may still run")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_row_16_a_flipped_byte_in_mid_command_is_a_loss(
    trial: Trial, sshd: ServerAccount, way: Direction
) -> None:
    target = (sshd.address, sshd.port)
    with FaultProxy(target, direction=way, flip_byte_at=300_000) as proxy:
        host = behind(trial, proxy, sshd)
        result = trial.run(host, "cat", stdin=bytes(MIB), within_s=0.0)
    assert ended(result) == (Outcome.LOST, Phase.RUN)
    assert result.may_still_run
    assert result.stdout == bytes(result.stdout_bytes)


@pytest.fixture(scope="module")
def payloads(
    sshd: ServerAccount, tmp_path_factory: pytest.TempPathFactory
) -> dict[Direction, list[int]]:
    """A byte that counts in each piece until the command's end is told, by direction."""
    passed: list[tuple[Direction, int]] = []
    trial = Trial(Mode.SEQUENTIAL, tmp_path_factory.mktemp("whole"), Path(sshd.private_key))
    with FaultProxy(
        (sshd.address, sshd.port), on_passed=lambda way, data: passed.append((way, len(data)))
    ) as proxy:
        assert trial.run(behind(trial, proxy, sshd), "cat", within_s=0.0).ok
    while passed[-1][0] is Direction.TO_SERVER:  # what we say when all is told
        passed.pop()
    sizes = {way: [size for passed_way, size in passed if passed_way is way] for way in WAYS}
    starts = {way: [0, *itertools.accumulate(sizes[way])][:-1] for way in WAYS}
    return {way: [start + PAYLOAD_AT for start in starts[way]] for way in WAYS}


@pytest.mark.fault(16, "one byte flipped in any packet", "never ok; unreachable before the command")
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_row_16_a_flipped_byte_is_never_ok(
    trial: Trial, sshd: ServerAccount, payloads: dict[Direction, list[int]], way: Direction
) -> None:
    with contextlib.ExitStack() as stack:
        hosts = []
        for flip_byte_at in payloads[way]:
            flip = FaultProxy((sshd.address, sshd.port), direction=way, flip_byte_at=flip_byte_at)
            proxy = stack.enter_context(flip)
            hosts.append(behind(trial, proxy, sshd, connect_timeout_s=2.0, command_timeout_s=2.0))
        report = trial.run_all(hosts, "cat", within_s=2.0 * len(hosts))
    for result in report:
        assert result.outcome in {Outcome.UNREACHABLE, Outcome.LOST}
        before = result.phase in {Phase.BANNER, Phase.KEX, Phase.HOSTKEY, Phase.AUTH, Phase.SESSION}
        assert (result.outcome is Outcome.UNREACHABLE) == before


@pytest.mark.fault(17, "new keys in mid-stream (RekeyLimit 1M, 100 MB)", "bytes identical")
def test_row_17_new_keys_cost_no_byte(trial: Trial, tmp_path: Path) -> None:
    data = os.urandom(MIB) * 100
    (tmp_path / "data").write_bytes(data)
    with start_sshd(tmp_path, extra=["RekeyLimit 1M"]) as account:
        result = trial.run(
            account.host("web1"),
            f"cat {tmp_path}/data",
            output_limit_bytes=len(data),
            within_s=60.0,
        )
    assert result.ok, result.error
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


@pytest.mark.fault(17, "new keys while both sides send", "bytes identical")
def test_row_17_new_keys_while_both_sides_send(trial: Trial, tmp_path: Path) -> None:
    data = os.urandom(MIB) * 12
    with start_sshd(tmp_path, extra=["RekeyLimit 1M"]) as account:
        result = trial.run(account.host("web1"), "cat", stdin=data, within_s=30.0)
    assert result.ok, result.error
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


@pytest.mark.fault(
    47, "host vanishes in mid-command (a stalled proxy)", "lost after the silence, not retried"
)
def test_row_47_a_host_that_vanishes_is_lost(
    trial: Trial, sshd: ServerAccount, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    with FaultProxy((sshd.address, sshd.port)) as proxy, once(begun.exists, proxy.stall):
        host = behind(trial, proxy, sshd)
        result = trial.run(
            host, f"touch {begun}; sleep 5", connect=QUICK, retries=2, within_s=SILENCE_S
        )
    assert ended(result) == (Outcome.LOST, Phase.RUN)
    assert result.may_still_run
    assert result.attempts == 1
    assert "no sign of life" in str(result.error)
    assert proxy.connections == 1


@pytest.mark.fault(47, "a silent command on a host that lives", "ok: silence alone is no loss")
def test_row_47_a_silent_command_is_not_lost(trial: Trial, sshd: ServerAccount) -> None:
    silence_s = 1.5 * SILENCE_S
    result = trial.run(sshd.host("web1"), f"sleep {silence_s}", connect=QUICK, within_s=silence_s)
    assert result.ok, result.error


@pytest.mark.fault(48, "sshd frozen", "lost after the silence")
def test_row_48_a_frozen_server_is_lost(trial: Trial, sshd: ServerAccount, tmp_path: Path) -> None:
    said = tmp_path / "server"

    def freeze() -> None:
        os.kill(int(said.read_text()), signal.SIGSTOP)

    with once(lambda: said.exists() and said.read_text().endswith("\n"), freeze):
        result = trial.run(
            sshd.host("web1"),
            f"echo $PPID > {said}; sleep 5",
            connect=QUICK,
            within_s=SILENCE_S,
        )
    os.kill(int(said.read_text()), signal.SIGKILL)
    assert ended(result) == (Outcome.LOST, Phase.RUN)
    assert result.may_still_run


@pytest.mark.fault(51, "a slow and distant link (1 MB/s, 50 ms each way)", "slow, correct")
def test_row_51_a_slow_link_is_slow_and_correct(trial: Trial, sshd: ServerAccount) -> None:
    data = os.urandom(MIB // 2)
    link = FaultProxy((sshd.address, sshd.port), delay_s=0.05, rate_bytes_s=MIB)
    with link as proxy:
        result = trial.run(behind(trial, proxy, sshd), "cat", stdin=data, within_s=5.0)
    assert result.ok, result.error
    assert result.stdout == data
    assert result.seconds >= 0.5


@pytest.mark.fault(67, "the clock steps by a day, to and fro", "deadlines are not touched by it")
def test_row_67_a_stepping_clock_moves_no_deadline(trial: Trial, sshd: ServerAccount) -> None:
    hosts = [
        sshd.host("quick", command_timeout_s=10.0),
        sshd.host("slow", command_timeout_s=0.5),
    ]
    with SteppingClock(SshConnect()) as connect:
        report = trial.run_all(hosts, "sleep 1.5", connect=connect, within_s=3.0)
    assert report["quick"].ok, report["quick"].error
    assert report["quick"].seconds >= 1.5
    assert report["slow"].outcome is Outcome.TIMEOUT
    assert 0.5 <= report["slow"].seconds < 86_400.0
