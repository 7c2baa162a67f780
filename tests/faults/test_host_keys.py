"""Rows 18 to 26: is the host who it says it is?"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from servers import ServerAccount, make_key, start_sshd
from trial import ADDRESS, Trial, ended

from fleetrun import Inventory
from fleetrun.executors import Mode
from fleetrun.faults import FullDisk, OffScriptServer
from fleetrun.hosts import Host, HostKeyPolicy, Secret
from fleetrun.lab import Lab
from fleetrun.results import Outcome, Phase, Result
from fleetrun.ssh import SshConnect

REFUSED = (Outcome.UNREACHABLE, Phase.HOSTKEY)


@pytest.fixture(scope="module")
def other_key() -> str:
    """Type and base64 of a public key that is nobody's."""
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def public_key(path: Path, kind: str = "ed25519") -> str:
    """Make a key pair and return the public key's type and base64."""
    make_key(path, kind)
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def key_of(account: ServerAccount) -> str:
    return " ".join(Path(account.known_hosts).read_text().split()[1:])


def reached(trial: Trial, account: ServerAccount, **changes: object) -> Host:
    """Return the host that the account is, vouched for by the trial's own file."""
    trial.known_hosts.touch()
    return account.host("web1", known_hosts=(str(trial.known_hosts),), **changes)


@pytest.mark.fault(18, "unknown host key", "refused; no credential sent; says how to add it")
def test_row_18_an_unknown_key_is_refused_before_any_credential(trial: Trial) -> None:
    trial.known_hosts.touch()
    with OffScriptServer() as server:
        host = trial.host(server.port, password=Secret("never to be sent"))
        result = trial.run(host, within_s=0.0)
    assert ended(result) == REFUSED
    assert server.logins == []
    assert not server.password_seen
    for words in ("not known", "SHA256:", str(trial.known_hosts), "fleetrun keys approve"):
        assert words in str(result.error)


@pytest.mark.fault(18, "unknown host key under accept-new", "ok, and known from then on")
def test_row_18_accept_new_writes_the_key_down(trial: Trial, sshd: ServerAccount) -> None:
    host = reached(trial, sshd)
    assert trial.run(replace(host, host_keys=HostKeyPolicy.ACCEPT_NEW), within_s=0.0).ok
    assert trial.run(host, within_s=0.0).ok
    assert trial.known_hosts.read_text() == f"[{ADDRESS}]:{sshd.port} {key_of(sshd)}\n"


@pytest.mark.fault(19, "changed host key", "refused; both fingerprints; file and line")
@pytest.mark.parametrize("policy", [HostKeyPolicy.STRICT, HostKeyPolicy.ACCEPT_NEW], ids=str)
def test_row_19_a_changed_key_is_refused(
    trial: Trial, sshd: ServerAccount, other_key: str, policy: HostKeyPolicy
) -> None:
    trial.vouch(f"# the old one\n[{ADDRESS}]:{sshd.port} {other_key}\n")
    before = trial.known_hosts.read_bytes()
    result = trial.run(reached(trial, sshd, host_keys=policy), within_s=0.0)
    assert ended(result) == REFUSED
    for words in (
        "CHANGED",
        fingerprint(other_key),
        fingerprint(key_of(sshd)),
        f"{trial.known_hosts}:2",
        "fleetrun keys approve --replace web1",
    ):
        assert words in str(result.error)
    assert trial.known_hosts.read_bytes() == before


@pytest.mark.fault(19, "changed host key under off", "ok: that policy looks at nothing")
def test_row_19_off_looks_at_nothing(trial: Trial, sshd: ServerAccount, other_key: str) -> None:
    trial.vouch(f"[{ADDRESS}]:{sshd.port} {other_key}\n")
    result = trial.run(reached(trial, sshd, host_keys=HostKeyPolicy.OFF), within_s=0.0)
    assert result.ok


# --- certificates --------------------------------------------------------------------------------


class Authority:
    """A certificate authority, and an sshd whose host key it has signed."""

    def __init__(self, folder: Path) -> None:
        self._key = folder / "authority"
        self.public = public_key(self._key)
        self._host_key = folder / "certified"
        make_key(self._host_key)

    def sign(self, *options: str) -> list[str]:
        """Sign the host key, and return the lines of sshd_config that show the certificate."""
        command = ["ssh-keygen", "-q", "-s", str(self._key), "-I", "test", *options]
        subprocess.run([*command, f"{self._host_key}.pub"], check=True)
        return [f"HostKey {self._host_key}", f"HostCertificate {self._host_key}-cert.pub"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "authority"
    folder.mkdir()
    return Authority(folder)


@pytest.mark.fault(
    20, "@revoked key, plain and the authority's", "refused under every policy but off"
)
@pytest.mark.parametrize("policy", [HostKeyPolicy.STRICT, HostKeyPolicy.ACCEPT_NEW], ids=str)
def test_row_20_a_revoked_key_is_refused_though_it_is_known(
    trial: Trial, sshd: ServerAccount, policy: HostKeyPolicy
) -> None:
    name = f"[{ADDRESS}]:{sshd.port}"
    trial.vouch(f"{name} {key_of(sshd)}\n@revoked * {key_of(sshd)}\n")
    result = trial.run(reached(trial, sshd, host_keys=policy), within_s=0.0)
    assert ended(result) == REFUSED
    assert "is revoked" in str(result.error)
    assert f"{trial.known_hosts}:2" in str(result.error)


@pytest.mark.fault(20, "@revoked authority", "refused")
def test_row_20_a_revoked_authority_vouches_for_nothing(
    trial: Trial, authority: Authority, tmp_path: Path
) -> None:
    trial.vouch(f"@cert-authority * {authority.public}\n@revoked * {authority.public}\n")
    with start_sshd(tmp_path, extra=authority.sign("-h", "-n", ADDRESS)) as account:
        result = trial.run(reached(trial, account), within_s=0.0)
    assert ended(result) == REFUSED
    assert "is revoked" in str(result.error)


@pytest.mark.fault(
    21,
    "host certificate: good, expired, not yet valid, wrong name, a user's, unknown authority",
    "ok, and else refused",
)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(("-h", "-n", ADDRESS), None, id="good"),
        pytest.param(("-h", "-n", "web.example,127.0.*"), None, id="good by a pattern"),
        pytest.param(("-h", "-n", ADDRESS, "-V", "20200101:20200102"), "expired", id="expired"),
        pytest.param(("-h", "-n", ADDRESS, "-V", "20990101:20990102"), "not valid yet", id="early"),
        pytest.param(("-h", "-n", "web.example"), "web.example", id="wrong name"),
        pytest.param(("-n", ADDRESS), "user", id="a user's"),
    ],
)
def test_row_21_a_certificate_is_judged(
    trial: Trial, authority: Authority, tmp_path: Path, options: tuple[str, ...], words: str | None
) -> None:
    trial.vouch(f"@cert-authority * {authority.public}\n")
    with start_sshd(tmp_path, extra=authority.sign(*options)) as account:
        result = trial.run(reached(trial, account), within_s=0.0)
    if words is None:
        assert result.ok, result.error
    else:
        assert ended(result) == REFUSED
        assert words in str(result.error)


@pytest.mark.fault(21, "certificate of an unknown authority", "refused")
def test_row_21_an_unknown_authority_vouches_for_nothing(
    trial: Trial, authority: Authority, other_key: str, tmp_path: Path
) -> None:
    trial.vouch(f"@cert-authority * {other_key}\n")
    with start_sshd(tmp_path, extra=authority.sign("-h", "-n", ADDRESS)) as account:
        result = trial.run(reached(trial, account), within_s=0.0)
    assert ended(result) == REFUSED


# --- the verdict that ssh gives ------------------------------------------------------------------


Verdict = tuple[bool, bool]
"""Whether a key is taken when keys must be known, and when new ones are accepted."""


def known_hosts_files(port: int, right: str, other: str) -> Mapping[str, tuple[str, ...]]:
    """Return contents of known_hosts files, by what is special in them."""
    name = f"[localhost]:{port}"
    kind, base64_part = right.split()
    return {
        "known": (f"{name} {right}\n",),
        "nothing": ("",),
        "changed": (f"{name} {other}\n",),
        "another name": (f"[localhoste]:{port} {right}\n",),
        "another port": (f"[localhost]:{port + 1} {right}\n",),
        "upper case": (f"[LOCALHOST]:{port} {right}\n",),
        "without the port": (f"localhost {right}\n",),
        "without the port, changed": (f"localhost {other}\n",),
        "changed, right without the port": (f"{name} {other}\nlocalhost {right}\n",),
        "right, changed without the port": (f"{name} {right}\nlocalhost {other}\n",),
        "several keys": (f"{name} {other}\n{name} {right}\n",),
        "hashed": (f"{hashed(name)} {right}\n",),
        "hashed, changed": (f"{hashed(name)} {other}\n",),
        "hashed without the port": (f"{hashed('localhost')} {right}\n",),
        "hashed in upper case": (f"{hashed(name.upper())} {right}\n",),
        "star": (f"* {right}\n",),
        "star in brackets": (f"[*]:{port} {right}\n",),
        "star for the port": (f"[localhost]:* {right}\n",),
        "question mark": (f"[l?calhost]:{port} {right}\n",),
        "question mark too many": (f"[?localhost]:{port} {right}\n",),
        "brackets are no pattern": (f"[[l]ocalhost]:{port} {right}\n",),
        "star, but not this one": (f"*,!{name} {right}\n",),
        "star, but not the name": (f"*,!localhost {right}\n",),
        "not this one alone": (f"!{name} {right}\n",),
        "not another one": (f"!web1,{name} {right}\n",),
        "comma list": (f"web1,{name},web2 {right}\n",),
        "comma list with a space": (f"web1, {name} {right}\n",),
        "revoked first": (f"@revoked * {right}\n{name} {right}\n",),
        "revoked last": (f"{name} {right}\n@revoked {name} {right}\n",),
        "revoked for another name": (f"{name} {right}\n@revoked web1 {right}\n",),
        "another key revoked": (f"{name} {right}\n@revoked * {other}\n",),
        "authority, plain key": (f"@cert-authority * {right}\n",),
        "unknown marker": (f"@trusted {name} {right}\n",),
        "comment line": (f"#{name} {right}\n",),
        "white space": (f"\n  \t{name}\t{right}\n",),
        "a comment behind": (f"{name} {right} root@web1 and more\n",),
        "Windows line ends": (f"{name} {right}\r\n",),
        "no newline at the end": (f"{name} {right}",),
        "type and key differ": (f"{name} ssh-rsa {base64_part}\n",),
        "truncated key": (f"{name} {right[:-20]}\n",),
        "truncated within base64": (f"{name} {right[:-21]}\n",),
        "no key": (f"{name} {kind}\n{name} {right}\n",),
        "two files": ("", f"{name} {right}\n"),
        "two files, one changed": (f"{name} {other}\n", f"{name} {right}\n"),
        "two files, revoked in the second": (f"{name} {right}\n", f"@revoked * {right}\n"),
        "two files, one missing": (f"{name} {right}\n",),
    }


def hashed(name: str) -> str:
    """Return a name as `ssh-keygen -H` writes it."""
    salt = hashlib.sha1(name.encode()).digest()  # noqa: S324 (a salt, and the format's own hash)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.fixture(scope="module")
def cases(
    sshd: ServerAccount, other_key: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[str, ...]]:
    """Files, by what is special in them."""
    folder = tmp_path_factory.mktemp("known_hosts")
    found = {}
    for number, (case, contents) in enumerate(
        known_hosts_files(sshd.port, key_of(sshd), other_key).items()
    ):
        files = [folder / f"{number}-{which}" for which in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_text(content)
        found[case] = tuple(map(str, files))
    return found


@pytest.fixture(scope="module")
def ssh_takes(
    sshd: ServerAccount,
    cases: dict[str, tuple[str, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Verdict]:
    """What OpenSSH's own client makes of the host's key, by case."""
    folder = tmp_path_factory.mktemp("for_ssh")

    def ask(case: str) -> Verdict:
        own = copied(cases[case], folder / str(list(cases).index(case)))
        strict = _ssh_takes(sshd, cases[case], HostKeyPolicy.STRICT)
        return strict, _ssh_takes(sshd, own, HostKeyPolicy.ACCEPT_NEW)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(cases, pool.map(ask, cases), strict=True))


def copied(files: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Copy the files, for a policy that may add to them."""
    folder.mkdir()
    return tuple(shutil.copy(file, str(folder)) for file in files)


def _ssh_takes(account: ServerAccount, files: tuple[str, ...], policy: HostKeyPolicy) -> bool:
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes" if policy is HostKeyPolicy.STRICT else "accept-new",
        "UserKnownHostsFile": " ".join(files),
        "GlobalKnownHostsFile": "none",
        "UpdateHostKeys": "no",
        "IdentityFile": account.private_key,
        "IdentityAgent": "none",
        "Port": str(account.port),
        "User": account.user,
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    command = ["ssh", "-F", "none", *options, "localhost", "true"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0 or "ost key verification failed" in ran.stderr, ran.stderr
    return ran.returncode == 0


@pytest.mark.fault(
    22, "hashed names, [host]:port, * ? !, comma lists, case, several files", "the verdict of ssh"
)
def test_row_22_the_verdict_is_that_of_ssh(
    trial: Trial,
    sshd: ServerAccount,
    cases: dict[str, tuple[str, ...]],
    ssh_takes: dict[str, Verdict],
) -> None:
    strict = [
        sshd.host(f"strict{number}", address="localhost", known_hosts=files)
        for number, files in enumerate(cases.values())
    ]
    accept_new = [
        replace(
            host,
            name=f"new{number}",
            known_hosts=copied(host.known_hosts, trial.folder / str(number)),
            host_keys=HostKeyPolicy.ACCEPT_NEW,
        )
        for number, host in enumerate(strict)
    ]
    report = trial.run_all([*strict, *accept_new], within_s=15.0)
    verdicts = {
        case: (_taken(report[one.name]), _taken(report[other.name]))
        for case, one, other in zip(cases, strict, accept_new, strict=True)
    }
    assert verdicts == ssh_takes
    assert {(True, True), (False, True), (False, False)} == set(ssh_takes.values())


def _taken(result: Result) -> bool:
    assert result.ok or ended(result) == REFUSED, result
    return result.ok


@pytest.mark.fault(
    23, "garbage, Latin-1 and truncated lines", "a warning with the line; the rest used"
)
def test_row_23_a_bad_line_is_a_warning_and_the_rest_is_used(
    trial: Trial, sshd: ServerAccount, caplog: pytest.LogCaptureFixture
) -> None:
    name, key = f"[{ADDRESS}]:{sshd.port}", key_of(sshd)
    lines = [
        b"# Stra\xdfe",
        b"garbage",
        b"\x00\x01\x02 \xff\xfe \x7f",
        f"{name} {key[:40]}".encode(),  # its base64 ends where it may
        f"|1|not|base64! {key}".encode(),
        f"web1 {key} Stra".encode() + b"\xdfe",
        f"{name} {key}".encode(),
    ]
    trial.known_hosts.write_bytes(b"\n".join(lines) + b"\n")
    with caplog.at_level(logging.WARNING, "fleetrun"):
        result = trial.run(reached(trial, sshd), within_s=0.0)
    assert result.ok, result.error
    warned = [number for number in range(1, 8) if f"{trial.known_hosts}:{number}:" in caplog.text]
    assert warned == [2, 3, 4, 5]


# --- writing them down ---------------------------------------------------------------------------

MANY = 500
FEW = 100
"""For the other modes, which differ from those two in nothing that writes to the file."""


@pytest.fixture(scope="module")
def many_hosts() -> Iterator[tuple[Host, ...]]:
    """Five hundred practice hosts, each with a port and a host key of its own."""
    with Lab(hosts=MANY) as lab:
        yield Inventory.load(lab.inventory).hosts


@pytest.mark.fault(
    24, "500 hosts at once under accept-new", "500 entries, comments kept, no torn line"
)
def test_row_24_every_new_key_is_written_once(trial: Trial, many_hosts: tuple[Host, ...]) -> None:
    comments = "# ours\n\n# a last line without an end"
    trial.known_hosts.write_text(comments)
    many = trial.mode in {Mode.THREADS, Mode.PROCESSES}
    hosts = [
        replace(
            host,
            host_keys=HostKeyPolicy.ACCEPT_NEW,
            known_hosts=(str(trial.known_hosts),),
            connect_timeout_s=60.0,
        )
        for host in many_hosts[: MANY if many else FEW]
    ]
    forks = 8 if trial.mode is Mode.PROCESSES else None
    report = trial.run_all(hosts, within_s=60.0, forks=forks)
    assert report.ok, report.failed[:3]
    text = trial.known_hosts.read_text()
    assert text.startswith(comments + "\n")
    names = [line.split()[0] for line in text.removeprefix(comments).splitlines() if line]
    assert sorted(names) == sorted(f"[{host.address}]:{host.port}" for host in hosts)
    assert all(len(line.split()) == 3 for line in text.splitlines()[3:])


@pytest.mark.fault(25, "hosts of one name with different keys, under accept-new", "one is accepted")
def test_row_25_a_second_key_for_a_name_is_a_changed_one(trial: Trial) -> None:
    with OffScriptServer(host_keys=8) as server:
        hosts = [
            trial.host(server.port, name=f"web{number}", host_keys=HostKeyPolicy.ACCEPT_NEW)
            for number in range(8)
        ]
        report = trial.run_all(hosts, within_s=5.0, forks=8)
    assert sum(result.ok for result in report) == 1
    assert all(ended(result) == REFUSED for result in report.failed)
    assert all("CHANGED" in str(result.error) for result in report.failed)
    assert len(trial.known_hosts.read_text().splitlines()) == 1


@pytest.mark.fault(
    26, "the disk of known_hosts is full", "refused with a clear error; no torn line"
)
def test_row_26_a_key_that_cannot_be_written_whole_is_not_accepted(
    trial: Trial, sshd: ServerAccount, other_key: str
) -> None:
    trial.vouch(f"web9 {other_key}\n")
    before = trial.known_hosts.read_bytes()
    host = reached(trial, sshd, host_keys=HostKeyPolicy.ACCEPT_NEW)
    with FullDisk(SshConnect(), file_bytes=len(before) + 20) as connect:
        result = trial.run(host, connect=connect, within_s=0.0)
    assert ended(result) == REFUSED
    assert f"{trial.known_hosts}: its key cannot be written there" in str(result.error)
    assert trial.known_hosts.read_bytes() == before


@pytest.mark.fault(26, "known_hosts cannot be made", "accept-new: a clear error; strict: unknown")
@pytest.mark.parametrize("policy", [HostKeyPolicy.STRICT, HostKeyPolicy.ACCEPT_NEW], ids=str)
def test_row_26_a_folder_that_cannot_be_made_is_named(
    trial: Trial, sshd: ServerAccount, tmp_path: Path, policy: HostKeyPolicy
) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "known_hosts"
    host = sshd.host("web1", known_hosts=(str(place),), host_keys=policy)
    result = trial.run(host, within_s=0.0)
    assert ended(result) == REFUSED
    assert str(place) in str(result.error)


@pytest.mark.fault(26, "known_hosts is read-only", "what is known is used; new keys are an error")
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only files")
def test_row_26_a_read_only_file_is_read(trial: Trial, sshd: ServerAccount) -> None:
    trial.vouch(f"[{ADDRESS}]:{sshd.port} {key_of(sshd)}\n")
    trial.known_hosts.chmod(0o400)
    known = reached(trial, sshd, host_keys=HostKeyPolicy.ACCEPT_NEW)
    assert trial.run(known, within_s=0.0).ok
    new = replace(known, name="web2", address="localhost")
    result = trial.run(new, within_s=0.0)
    assert ended(result) == REFUSED
    assert "permission denied" in str(result.error).lower()
