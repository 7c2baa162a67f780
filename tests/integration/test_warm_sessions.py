"""Sessions that stay open between two calls, with a real sshd."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from jobs import run
from servers import ServerAccount, is_alive, start_sshd, wait_until

from fleetrun import Fleet, Host, Report
from fleetrun.events import Event, PhaseReached
from fleetrun.executors import Mode, queues
from fleetrun.faults import Direction, FaultProxy
from fleetrun.keeper import Keeper
from fleetrun.results import Outcome, Phase
from fleetrun.ssh import SshConnect
from fleetrun.ssh.session import SshSession

pytestmark = pytest.mark.sshd

every_mode = pytest.mark.parametrize("mode", Mode, ids=str)
NAMES = [f"h{number}" for number in range(6)]
WITHOUT_LOGIN = [Phase.SESSION, Phase.EXEC, Phase.RUN]


@pytest.fixture(autouse=True)
def _nobody_takes_anothers_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep an idle worker from logging in to a host of one that a busy machine holds up."""
    monkeypatch.setattr(queues, "_PATIENCE_S", 60.0)


def logins(account: ServerAccount) -> int:
    """Return how many logins the server has let in."""
    assert account.log is not None
    return account.log.read_text(errors="replace").count("Accepted publickey")


def open_connections(account: ServerAccount) -> int:
    """Return how many of them it has not seen the end of."""
    assert account.log is not None
    text = account.log.read_text(errors="replace")
    return logins(account) - text.count("Disconnected from user") - text.count("closed by ")


def hosts_on(account: ServerAccount) -> list[Host]:
    return [account.host(name, connect_timeout_s=30.0) for name in NAMES]


def outcomes(report: Report) -> list[Outcome]:
    return [result.outcome for result in report]


def later_phases(report: Report) -> list[list[Phase]]:
    return [list(result.phase_seconds) for result in report]


@every_mode
def test_later_calls_log_in_to_no_host_and_the_end_of_the_fleet_ends_the_sessions(
    mode: Mode, tmp_path: Path
) -> None:
    with start_sshd(tmp_path) as account:
        with Fleet(hosts_on(account), mode=mode, forks=3) as fleet:
            for round_number in range(3):
                report = fleet.exec(f"echo {round_number}; echo err >&2; exit 0")
                assert outcomes(report) == [Outcome.OK] * 6
                assert {result.text for result in report} == {str(round_number)}
            assert later_phases(report) == [WITHOUT_LOGIN] * 6
            assert logins(account) == open_connections(account) == 6
            source = tmp_path / "file"
            source.write_bytes(b"content")
            assert outcomes(fleet.put(source, str(tmp_path / "{host}"), template=True)) == (
                [Outcome.OK] * 6
            )
            assert (tmp_path / "h5").read_bytes() == b"content"
            assert logins(account) == 6
        wait_until(lambda: open_connections(account) == 0)


def test_a_later_command_is_handed_over_before_a_byte_of_the_host_comes(tmp_path: Path) -> None:
    """One round trip: the request goes out at once, and the first answer begins the run."""
    happened: list[str] = []
    with (
        start_sshd(tmp_path) as account,
        FaultProxy(
            (account.address, account.port), on_passed=lambda way, _piece: happened.append(way)
        ) as proxy,
        contextlib.closing(Keeper(SshConnect(), most=1)) as keeper,
    ):
        alias = f"[{account.address}]:{account.port}"
        host = account.host("it", port=proxy.port, host_key_alias=alias)
        run(host, "true", connect=keeper)
        wait_until(lambda: next_channel_is_open(keeper))
        happened.clear()
        run(host, "true", connect=keeper, emit=lambda event: happened.append(_word(event)))
    begun = happened.index(Phase.RUN)
    assert happened[: happened.index(Phase.EXEC) + 1] == [Phase.SESSION, Phase.EXEC]
    # the proxy tells of the answer when it has passed it on, which may be after its effect
    assert [*happened[2:begun], Direction.TO_CLIENT][:2] == [
        Direction.TO_SERVER,
        Direction.TO_CLIENT,
    ]


def next_channel_is_open(keeper: Keeper) -> bool:
    session = keeper._idle["it"].session
    assert isinstance(session, SshSession)
    assert session.tend()
    prepared = session._transport._prepared
    return prepared is not None and prepared.opened


def _word(event: Event) -> str:
    return event.phase if isinstance(event, PhaseReached) else type(event).__name__


@every_mode
def test_a_host_that_has_ended_the_session_meanwhile_is_logged_in_to_again(
    mode: Mode, tmp_path: Path
) -> None:
    with start_sshd(tmp_path) as account, Fleet([account.host("it")], mode=mode) as fleet:
        (lost,) = fleet.exec("kill $PPID; sleep 60")
        assert lost.outcome is Outcome.LOST
        pid = int(fleet.exec("echo $PPID")["it"].text)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid))
        assert outcomes(fleet.exec("true")) == [Outcome.OK]
        assert logins(account) == 3


@pytest.mark.long
@pytest.mark.parametrize("mode", [Mode.THREADS, Mode.HYBRID], ids=str)
def test_an_idle_session_answers_signs_of_life_and_new_keys(mode: Mode, tmp_path: Path) -> None:
    asks = ["ClientAliveInterval 1", "ClientAliveCountMax 2", "RekeyLimit default 2s"]
    with (
        start_sshd(tmp_path, extra=[*asks, "LogLevel DEBUG"]) as account,
        Fleet([account.host("it")], mode=mode) as fleet,
    ):
        fleet.exec("true")
        assert account.log is not None
        log = account.log
        wait_until(lambda: log.read_text(errors="replace").count("KEXINIT received") > 2)
        report = fleet.exec("true")
        assert outcomes(report) == [Outcome.OK]
        assert later_phases(report) == [WITHOUT_LOGIN]
        assert logins(account) == 1


@pytest.mark.parametrize("mode", [Mode.THREADS, Mode.GREENLETS], ids=str)
def test_a_host_with_room_for_one_channel_is_used_again_all_the_same(
    mode: Mode, tmp_path: Path
) -> None:
    with (
        start_sshd(tmp_path, extra=["MaxSessions 1"]) as account,
        Fleet([account.host("it")], mode=mode) as fleet,
    ):
        assert [outcomes(fleet.exec("true")) for _ in range(4)] == [[Outcome.OK]] * 4
        assert logins(account) == 1


def test_a_child_that_holds_the_output_open_costs_the_session_and_nothing_else(
    tmp_path: Path,
) -> None:
    with start_sshd(tmp_path) as account, Fleet([account.host("it")]) as fleet:
        (hinted,) = fleet.exec("sleep 20 & exit 0")
        assert (hinted.outcome, "holds its output open" in str(hinted.error)) == (Outcome.OK, True)
        (result,) = fleet.exec("echo clean")
        assert (result.text, logins(account)) == ("clean", 2)
