"""The servers that other tests rely on, seen by clients that are not ours."""

from __future__ import annotations

import io
import shutil
from contextlib import ExitStack
from pathlib import Path

import paramiko
import pytest
from clients import paramiko_client, ssh, transport_of
from servers import ServerAccount, is_alive, require_sshd, start_sshd, wait_until

from fleetrun import HostKeyPolicy

pytestmark = pytest.mark.long


@pytest.mark.sshd
def test_sshd_lets_ssh_in_with_its_own_key_and_known_hosts(sshd: ServerAccount) -> None:
    ran = ssh(sshd.host("it"), "echo out; echo err >&2; exit 3")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, b"out\n", b"err\n")


@pytest.mark.sshd
def test_sshd_serves_files(sshd: ServerAccount, tmp_path: Path) -> None:
    with paramiko_client(sshd.host("it")) as client, client.open_sftp() as files:
        files.putfo(io.BytesIO(b"content"), f"{tmp_path}/copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


@pytest.mark.sshd
def test_an_extra_line_takes_the_place_of_the_default(tmp_path: Path) -> None:
    with (
        start_sshd(tmp_path, extra=["MaxSessions 1"]) as account,
        paramiko_client(account.host("it")) as client,
    ):
        transport_of(client).open_session(timeout=60)
        with pytest.raises(paramiko.ChannelException):
            transport_of(client).open_session(timeout=60)


@pytest.mark.sshd
def test_several_sshd_run_at_once_with_keys_of_their_own(tmp_path: Path) -> None:
    with start_sshd(tmp_path) as one, start_sshd(tmp_path) as other:
        assert ssh(one.host("it"), "true").returncode == 0
        assert ssh(other.host("it"), "true").returncode == 0
        stranger = one.host("it", private_key=other.private_key)
        assert b"Permission denied" in ssh(stranger, "true").stderr
        impostor = one.host("it", known_hosts=(other.known_hosts,))
        assert b"Host key verification failed" in ssh(impostor, "true").stderr


@pytest.mark.sshd
def test_an_sshd_ends_with_all_that_still_runs_on_it(tmp_path: Path) -> None:
    with ExitStack() as server:
        account = server.enter_context(start_sshd(tmp_path))
        with paramiko_client(account.host("it")) as client:
            _, stdout, _ = client.exec_command("trap '' HUP TERM; echo $$; exec sleep 1000")
            pid = int(stdout.readline())
            server.close()
            wait_until(lambda: not is_alive(pid))


def test_mock_ssh_runs_commands_and_serves_files(mock_ssh: ServerAccount, tmp_path: Path) -> None:
    with paramiko_client(mock_ssh.host("it")) as client:
        _, stdout, _ = client.exec_command("echo out; exit 3")
        assert stdout.read() == b"out\n"
        assert stdout.channel.recv_exit_status() == 3
        with client.open_sftp() as files:
            files.putfo(io.BytesIO(b"content"), f"{tmp_path}/copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


def test_an_account_is_a_host_with_changes_on_request(mock_ssh: ServerAccount) -> None:
    host = mock_ssh.host("web1", host_keys=HostKeyPolicy.OFF)
    assert (host.name, host.address, host.port) == ("web1", mock_ssh.address, mock_ssh.port)
    assert host.known_hosts == (mock_ssh.known_hosts,)
    assert host.host_keys is HostKeyPolicy.OFF


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_without_sshd_a_test_is_skipped_and_on_ci_it_fails(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no sshd on this machine"):
        require_sshd()
