"""Old devices: refused by default, with both sides' lists; reached when the host asks for it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncssh.packet import SSHPacket
from asyncssh.rsa import RSAKey
from calling import call, write_inventory
from login_server import LoginServer
from servers import ServerAccount, make_key, start_sshd

from fleetrun import Fleet, Outcome, Phase
from fleetrun.executors import Mode
from fleetrun.hosts import Host

KEX = "diffie-hellman-group14-sha1"
OLD_LINES = {
    "key exchange": f"KexAlgorithms {KEX}",
    "host key": "HostKeyAlgorithms ssh-rsa",
    "cipher": "Ciphers aes128-cbc",
    "MAC": "MACs hmac-sha1",
}
"""Lines of sshd_config that leave one algorithm of a kind."""

pytestmark = [pytest.mark.sshd, pytest.mark.long]


@pytest.fixture
def rsa(tmp_path: Path) -> Path:
    """An RSA host key."""
    make_key(tmp_path / "rsa", "rsa")
    return tmp_path / "rsa"


@pytest.fixture
def old_device(rsa: Path, tmp_path: Path) -> Iterator[Host]:
    """A host that has nothing but old algorithms, of every kind."""
    for question, name in {"kex": KEX, "sig": "ssh-rsa", "cipher": "aes128-cbc"}.items():
        known = subprocess.run(["ssh", "-Q", question], check=True, capture_output=True, text=True)
        if name not in known.stdout.split():
            pytest.skip(f"this OpenSSH has left out {name} for good")
    with start_sshd(tmp_path, extra=[*OLD_LINES.values(), f"HostKey {rsa}"]) as account:
        yield vouched_for(account, rsa)


def vouched_for(account: ServerAccount, host_key: Path) -> Host:
    public = " ".join(Path(f"{host_key}.pub").read_text().split()[:2])
    file = host_key.with_name("known_hosts")
    file.write_text(f"[{account.address}]:{account.port} {public}\n")
    return account.host("old1", known_hosts=(str(file),))


@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_a_host_that_asks_for_them_is_reached_with_old_algorithms_and_no_other(
    old_device: Host, mode: Mode
) -> None:
    asks = dataclasses.replace(old_device, name="old2", legacy_algorithms=True)
    with Fleet([old_device, asks], mode=mode) as fleet:
        report = fleet.exec("echo in")
    refused, reached = report
    assert (refused.outcome, refused.phase) == (Outcome.UNREACHABLE, Phase.KEX)
    assert f"no common key exchange: it offers {KEX}" in str(refused.error)
    assert "; we offer curve25519-sha256," in str(refused.error)
    assert str(refused.error).endswith("; try --legacy-algorithms")
    assert (reached.text, reached.error) == ("in", None)


def test_the_option_reaches_all_hosts_and_the_variable_one(
    old_device: Host, tmp_path: Path
) -> None:
    write_inventory(tmp_path / "hosts.yaml", old_device)
    assert call("exec", "echo in", folder=tmp_path).code == 4
    assert call("exec", "echo in", "--legacy-algorithms", folder=tmp_path).out == "old1: in\n"
    write_inventory(tmp_path / "hosts.yaml", old_device, legacy_algorithms="yes")
    assert call("exec", "echo in", folder=tmp_path).out == "old1: in\n"


def test_the_keys_of_an_old_device_are_scanned_with_the_same_option(
    old_device: Host, tmp_path: Path
) -> None:
    write_inventory(tmp_path / "hosts.yaml", old_device)
    refused = call("keys", "scan", folder=tmp_path)
    assert refused.code == 4
    assert "try --legacy-algorithms" in refused.err
    scanned = call("keys", "scan", "--legacy-algorithms", folder=tmp_path)
    assert scanned.code == 0
    assert scanned.out.splitlines()[1].split()[:3] == ["old1", "known", "ssh-rsa"]


def test_files_come_and_go_over_old_algorithms(old_device: Host, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    target = str(tmp_path / "copy")
    with Fleet([dataclasses.replace(old_device, legacy_algorithms=True)]) as fleet:
        assert fleet.put(tmp_path / "file", target).ok
        assert fleet.get(target, tmp_path / "got").ok
    arrived = tmp_path / "got" / "old1" / target.lstrip("/")
    assert arrived.read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("kind", OLD_LINES)
def test_old_algorithms_are_the_last_choice(kind: str, rsa: Path, tmp_path: Path) -> None:
    """A server that prefers them, and has better ones too, gets the better ones."""
    keyword, names = OLD_LINES[kind].split()
    better = {
        "key exchange": "curve25519-sha256",
        "host key": "rsa-sha2-512",
        "cipher": "aes128-ctr",
        "MAC": "hmac-sha2-256-etm@openssh.com",
    }[kind]
    lines = [f"{keyword} {names},{better}", "LogLevel DEBUG3", f"HostKey {rsa}"]
    if kind == "MAC":
        lines.append("Ciphers aes128-ctr")  # which brings no MAC of its own
    with start_sshd(tmp_path, extra=lines) as account:
        host = dataclasses.replace(vouched_for(account, rsa), legacy_algorithms=True)
        with Fleet([host]) as fleet:
            assert fleet.exec("true").ok
        log = Path(str(account.log)).read_text()
    agreed = [line for line in log.splitlines() if "kex: " in line]
    assert agreed
    assert any(better in line for line in agreed)
    assert not any(names in line.replace(",", " ").split() for line in agreed)


@pytest.mark.parametrize(
    ("takes", "legacy_algorithms", "signs_with"),
    [
        (["ssh-rsa"], True, "ssh-rsa"),
        (["ssh-rsa", "rsa-sha2-512"], True, "rsa-sha2-512"),
        (["rsa-sha2-256"], True, "rsa-sha2-256"),
        (["ssh-rsa", "rsa-sha2-512"], False, "rsa-sha2-512"),
        (["ssh-rsa"], False, None),
    ],
    ids=["SHA-1 alone", "both", "SHA-2 alone", "both, not asked for", "SHA-1 alone, not asked for"],
)
def test_a_users_rsa_key_signs_with_sha_1_where_the_host_takes_nothing_else(
    takes: list[str],
    signs_with: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    legacy_algorithms: bool,
) -> None:
    really = RSAKey.verify_ssh
    signed: list[str] = []

    def verify(key: RSAKey, data: bytes, algorithm: bytes, packet: SSHPacket) -> bool:
        signed.append(algorithm.decode())
        return signed[-1] in takes and really(key, data, algorithm, packet)

    monkeypatch.setattr(RSAKey, "verify_ssh", verify)
    make_key(tmp_path / "user", "rsa")
    with LoginServer(
        tmp_path, public_key=tmp_path / "user.pub", signature_algs=[*takes, "ssh-ed25519"]
    ) as server:
        host = server.host(
            "old1", private_key=str(tmp_path / "user"), legacy_algorithms=legacy_algorithms
        )
        with Fleet([host]) as fleet:
            (result,) = fleet.exec("true")
    if signs_with is None:
        assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.AUTH)
        assert str(result.error).endswith("it takes SHA-1 alone: try --legacy-algorithms")
        assert "ssh-rsa" not in signed
    else:
        assert result.ok, result.error
        assert signed == [signs_with]
