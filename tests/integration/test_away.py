"""Sessions from another machine, with the operator's keys or its own, on real sshd servers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from away import AwayMachine
from servers import ServerAccount, make_key, start_sshd

from fleetrun import Host, HostKeyPolicy, Secret
from fleetrun.errors import AuthError, HostKeyError, UsageError
from fleetrun.hosts import KeysFrom
from fleetrun.ssh import AwaySshConnect

pytestmark = pytest.mark.sshd

OPERATORS = AwaySshConnect(keys_from=KeysFrom.OPERATOR)
WORKERS = AwaySshConnect(keys_from=KeysFrom.WORKER)
PASSPHRASE = "open sesame"


@pytest.fixture(autouse=True)
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the operator, who is this process, a home without keys."""
    folder = tmp_path / "operator"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture
def worker(tmp_path: Path) -> AwayMachine:
    """Return a worker's machine that has nothing of its own."""
    folder = tmp_path / "worker"
    folder.mkdir(mode=0o700)
    return AwayMachine(folder=folder)


@pytest.fixture
def sshd_of(tmp_path: Path) -> Iterator[Callable[..., ServerAccount]]:
    """Return what starts one more server, with its own keys."""
    with ExitStack() as stack:
        yield lambda *extra: stack.enter_context(start_sshd(tmp_path, extra))


def own(host: Host, **changes: object) -> Host:
    """Return the host without a named key, so that the usual files count."""
    usual = {"private_key": None, "known_hosts": Host(name="web1").known_hosts}
    return replace(host, **{**usual, **changes})


def move_in(account: ServerAccount, home: Path) -> None:
    """Put the account's key and known_hosts where ssh looks for them in a home."""
    (home / ".ssh").mkdir(exist_ok=True, mode=0o700)
    shutil.copy(account.private_key, home / ".ssh" / "id_ed25519")
    shutil.copy(account.known_hosts, home / ".ssh" / "known_hosts")


def written_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_operators_usual_files_are_enough_and_none_comes_to_the_workers_disk(
    sshd: ServerAccount, operator: Path, worker: AwayMachine
) -> None:
    move_in(sshd, operator)
    host = own(sshd.host("web1"))
    (ended,) = worker.run(OPERATORS.gathered([host]), host)
    assert (ended.output, ended.error) == (b"here\n", None)
    assert written_in(worker.folder) == []
    assert worker.asked == []


def test_an_encrypted_key_with_its_passphrase_and_a_certificate_goes_along(
    sshd_of: Callable[..., ServerAccount], operator: Path, worker: AwayMachine
) -> None:
    make_key(operator / "authority")
    make_key(operator / "me")
    account = sshd_of(f"TrustedUserCAKeys {operator}/authority.pub")
    for command in (
        ["-s", "authority", "-I", "me", "-n", account.user, "me.pub"],
        ["-p", "-N", PASSPHRASE, "-f", "me"],
    ):
        subprocess.run(["ssh-keygen", "-q", *command], check=True, cwd=operator)
    secret = Secret(PASSPHRASE)
    host = account.host("web1", private_key="~/me", key_passphrase=secret)
    (ended,) = worker.run(OPERATORS.gathered([host]), host)
    assert (ended.output, ended.error) == (b"here\n", None)
    assert written_in(worker.folder) == []


def test_through_a_jump_host_of_the_operators_ssh_config(
    sshd_of: Callable[..., ServerAccount], operator: Path, worker: AwayMachine
) -> None:
    bastion, last = sshd_of(), sshd_of()
    shutil.copy(bastion.private_key, operator / ".ssh" / "bastion")
    config = operator / "config"
    config.write_text("Include ~/more/*\n")
    (operator / "more").mkdir()
    included = operator / "more" / "bastion"
    included.write_text(
        f"Host b\n HostName {bastion.address}\n Port {bastion.port}\n User {bastion.user}\n"
        f" IdentityFile ~/.ssh/bastion\n UserKnownHostsFile {bastion.known_hosts}\n"
    )
    included.chmod(0o600)
    host = last.host("web1", jump="b", ssh_config="~/config")
    (ended,) = worker.run(OPERATORS.gathered([host]), host)
    assert (ended.output, ended.error) == (b"here\n", None)
    assert bastion.log is not None
    assert "Accepted publickey" in bastion.log.read_text()
    assert written_in(worker.folder) == []


def test_an_unknown_host_is_refused_before_the_operators_key_is_offered(
    sshd_of: Callable[..., ServerAccount], operator: Path, worker: AwayMachine
) -> None:
    account = sshd_of()
    move_in(account, operator)
    known = operator / ".ssh" / "known_hosts"
    known.unlink()
    move_in(account, worker.folder)
    host = own(account.host("web1"))
    (ended,) = worker.run(OPERATORS.gathered([host]), host)
    assert isinstance(ended.error, HostKeyError)
    assert f"is not in {known}" in str(ended.error)
    assert account.log is not None
    assert "publickey" not in account.log.read_text()


@pytest.mark.parametrize("keys_from", list(KeysFrom))
def test_a_new_hosts_key_comes_home_and_another_one_for_it_is_refused(
    sshd_of: Callable[..., ServerAccount],
    operator: Path,
    worker: AwayMachine,
    keys_from: KeysFrom,
) -> None:
    first, second = sshd_of(), sshd_of()
    expected = Path(first.known_hosts).read_text()
    (operator / ".ssh" / "known_hosts").write_text("# ours\n")
    hosts = [
        own(
            account.host(name),
            private_key=account.private_key,
            host_keys=HostKeyPolicy.ACCEPT_NEW,
            host_key_alias=f"[{first.address}]:{first.port}",
        )
        for name, account in {"web1": first, "again": first, "other": second}.items()
    ]
    connect = AwaySshConnect(keys_from=keys_from).gathered(hosts)
    *good, bad = worker.run(connect, *hosts)
    assert [ended.output for ended in good] == [b"here\n"] * 2
    assert isinstance(bad.error, HostKeyError)
    assert "CHANGED" in str(bad.error)
    assert "approve --replace other" in str(bad.error)
    assert (operator / ".ssh" / "known_hosts").read_text() == f"# ours\n{expected}"
    own_files = [".ssh", ".ssh/known_hosts"] if keys_from is KeysFrom.WORKER else []
    assert written_in(worker.folder) == own_files
    assert len(worker.asked) == 1


def test_a_worker_has_its_own_keys_where_the_operator_has_none(
    sshd: ServerAccount, operator: Path, worker: AwayMachine
) -> None:
    move_in(sshd, worker.folder)
    shutil.copy(sshd.private_key, worker.folder / "named")
    hosts = [own(sshd.host("web1")), own(sshd.host("web2"), private_key="~/named")]
    WORKERS.prepare(hosts)
    assert [each.output for each in worker.run(WORKERS.gathered(hosts), *hosts)] == [b"here\n"] * 2
    assert written_in(operator) == [".ssh"]


def test_a_workers_own_keys_are_not_used_with_the_operators(
    sshd: ServerAccount, operator: Path, worker: AwayMachine
) -> None:
    move_in(sshd, worker.folder)
    make_key(operator / ".ssh" / "id_ed25519")
    shutil.copy(sshd.known_hosts, operator / ".ssh" / "known_hosts")
    host = own(sshd.host("web1"))
    (ended,) = worker.run(OPERATORS.gathered([host]), host)
    assert isinstance(ended.error, AuthError)
    assert str(ended.error).count("SHA256:") == 1
    assert "keys of an ssh-agent are not sent" in str(ended.error)


def test_an_operator_with_an_agent_alone_is_told_before_anything_is_sent(
    sshd: ServerAccount, operator: Path
) -> None:
    shutil.copy(f"{sshd.private_key}.pub", operator / ".ssh" / "id_ed25519.pub")
    for act in (OPERATORS.prepare, OPERATORS.gathered):
        with pytest.raises(UsageError, match=r"'web1'.*ssh-agent.*--private-key.*--keys-from wor"):
            act([own(sshd.host("web1"))])
