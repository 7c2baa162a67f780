"""Host keys of real servers: collected in every mode, and written down as ssh reads them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from calling import Ran, call, environment_in, words_of, write_inventory
from clients import ssh
from servers import ADDRESS, ServerAccount, make_key, start_sshd
from terminal import Terminal

from fleetrun import Fleet, Host
from fleetrun.executors import Mode
from fleetrun.keyscan import scan_keys
from fleetrun.ssh import SshScan

pytestmark = pytest.mark.long

KINDS = {"ed25519": "ssh-ed25519", "ecdsa": "ecdsa-sha2-nistp256", "rsa": "ssh-rsa"}


@pytest.fixture(scope="module")
def many_keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAccount]:
    """An account on an sshd with a host key of each type."""
    folder = tmp_path_factory.mktemp("many_keyed")
    for kind in KINDS:
        make_key(folder / kind, kind)
    with start_sshd(folder, extra=[f"HostKey {folder / kind}" for kind in KINDS]) as account:
        (Path(account.private_key).parent / "shown").symlink_to(folder)
        yield account


@pytest.fixture
def shown(many_keyed: ServerAccount) -> dict[str, str]:
    """Type and base64 of the keys that it shows, by kind."""
    folder = Path(many_keyed.private_key).parent / "shown"
    return {kind: " ".join((folder / f"{kind}.pub").read_text().split()[:2]) for kind in KINDS}


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Type and base64 of an ed25519 key that is nobody's."""
    path = tmp_path_factory.mktemp("other") / "key"
    make_key(path)
    return " ".join(path.with_name("key.pub").read_text().split()[:2])


def fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def name_of(account: ServerAccount) -> str:
    return f"[{account.address}]:{account.port}"


def hashed(name: str) -> str:
    """Return a name as `ssh-keygen -H` writes it."""
    salt = os.urandom(20)
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


# --- scanning ------------------------------------------------------------------------------------


@pytest.mark.sshd
@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_every_mode_shows_every_type_and_how_it_stands(
    many_keyed: ServerAccount, shown: dict[str, str], other_key: str, tmp_path: Path, mode: Mode
) -> None:
    name = name_of(many_keyed)
    contents = {
        "nothing": "",
        "all": "".join(f"{name} {key}\n" for key in shown.values()),
        "one": f"{name} {shown['rsa']}\n",
        "changed": f"{name} {other_key}\n",
        "revoked": f"{name} {shown['rsa']}\n@revoked * {shown['ecdsa']}\n",
    }
    for case, content in contents.items():
        (tmp_path / case).write_text(content)
    hosts = [many_keyed.host(case, known_hosts=(str(tmp_path / case),)) for case in contents]
    with Fleet(hosts, mode=mode, connect=SshScan()) as fleet:
        scan = scan_keys(fleet)
    assert scan.report.ok
    found = {
        each.host.name: {key.key.key_type: str(key.verdict.standing) for key in each.keys}
        for each in scan.hosts
    }
    ed25519, ecdsa, rsa = KINDS.values()
    assert found == {
        "nothing": {ed25519: "new", ecdsa: "new", rsa: "new"},
        "all": {ed25519: "known", ecdsa: "known", rsa: "known"},
        "one": {ed25519: "new", ecdsa: "new", rsa: "known"},
        "changed": {ed25519: "CHANGED", ecdsa: "CHANGED", rsa: "CHANGED"},
        "revoked": {ed25519: "new", ecdsa: "REVOKED", rsa: "known"},
    }
    fingerprints = {key.key.fingerprint for key in scan.hosts[0].keys}
    assert fingerprints == set(map(fingerprint, shown.values()))
    assert {case: (tmp_path / case).read_text() for case in contents} == contents
    assert "Accepted" not in Path(str(many_keyed.log)).read_text()


@pytest.mark.sshd
def test_the_keys_are_those_that_ssh_keyscan_collects(
    many_keyed: ServerAccount, tmp_path: Path
) -> None:
    command = ["ssh-keyscan", "-p", str(many_keyed.port), many_keyed.address]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    host = many_keyed.host("web1", known_hosts=(str(tmp_path / "none"),))
    with Fleet([host], connect=SshScan()) as fleet:
        ours = scan_keys(fleet).report["web1"].text
    assert sorted(ours.splitlines()) == sorted(
        line for line in theirs.splitlines() if not line.startswith("#")
    )


@pytest.mark.sshd
def test_a_certificate_is_not_taken_for_a_key(tmp_path: Path) -> None:
    for key in ("authority", "host"):
        make_key(tmp_path / key)
    sign = ["ssh-keygen", "-q", "-s", tmp_path / "authority", "-I", "x", "-h", "-n", ADDRESS]
    subprocess.run([*sign, tmp_path / "host.pub"], check=True)
    lines = [f"HostKey {tmp_path}/host", f"HostCertificate {tmp_path}/host-cert.pub"]
    authority = " ".join((tmp_path / "authority.pub").read_text().split()[:2])
    (tmp_path / "known").write_text(f"@cert-authority * {authority}\n")
    with start_sshd(tmp_path, extra=lines) as account:
        host = account.host("web1", known_hosts=(str(tmp_path / "known"),))
        with Fleet([host], connect=SshScan()) as fleet:
            (found,) = scan_keys(fleet).hosts
    assert [key.key.key_type for key in found.keys] == ["ssh-ed25519"]
    assert [str(key.verdict.standing) for key in found.keys] == ["new"]


@contextlib.contextmanager
def server_with_the_wrong_key() -> Iterator[int]:
    """A server that agrees on nistp384 and shows a key of nistp256, whoever comes."""
    key = paramiko.ECDSAKey.generate(bits=256)
    with socket.create_server((ADDRESS, 0)) as listener:
        transports: list[paramiko.Transport] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    transport = paramiko.Transport(listener.accept()[0])
                    transport.server_key_dict = {"ecdsa-sha2-nistp384": key}
                    transports.append(transport)
                    transport.start_server(event=threading.Event())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for transport in transports:
                transport.close()
                transport.join()
                transport.sock.close()


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not shut down a listening socket")
def test_a_host_with_the_wrong_key_is_not_asked_for_ever(tmp_path: Path) -> None:
    with server_with_the_wrong_key() as port:
        host = Host(name="web1", address=ADDRESS, port=port, known_hosts=(str(tmp_path / "none"),))
        with Fleet([host], connect=SshScan()) as fleet:
            report = scan_keys(fleet).report
    assert len(report["web1"].stdout.splitlines()) <= 1


# --- approving -----------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, many_keyed: ServerAccount) -> Path:
    """A folder with an inventory of one host, web1, and a known_hosts file that is empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    known_hosts = folder / "known_hosts"
    known_hosts.touch(mode=0o600)
    write_inventory(folder / "hosts.yaml", many_keyed.host("web1", known_hosts=(str(known_hosts),)))
    return folder


def approve(home: Path, *options: str) -> Ran:
    return call("keys", "approve", "--yes", *options, folder=home)


@pytest.mark.sshd
@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_what_is_approved_is_what_ssh_believes(
    home: Path, many_keyed: ServerAccount, shown: dict[str, str], mode: Mode
) -> None:
    refused = call("exec", "echo in", folder=home)
    assert refused.code == 4
    assert "fleetrun keys approve" in refused.err

    ran = approve(home, f"--mode={mode}")
    assert (ran.code, ran.err.splitlines()[0]) == (
        0,
        "fleetrun: written to known_hosts: the keys of web1",
    )
    for key in shown.values():
        assert fingerprint(key) in ran.out
    found = subprocess.run(
        ["ssh-keygen", "-F", name_of(many_keyed), "-f", home / "known_hosts"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert [line.split(maxsplit=1)[1] for line in found.splitlines() if line[0] != "#"] == [
        *(key for _, key in sorted(shown.items(), key=lambda item: found.index(item[1])))
    ]
    host = many_keyed.host("web1", known_hosts=(str(home / "known_hosts"),))
    assert ssh(host, "echo", "in").stdout == b"in\n"
    assert call("exec", "echo in", folder=home).out == "web1: in\n"
    again = approve(home)
    assert (again.code, again.err.splitlines()[0]) == (0, "fleetrun: nothing to add")


@pytest.mark.sshd
def test_at_a_terminal_it_is_one_question(home: Path, many_keyed: ServerAccount) -> None:
    words = words_of("keys", "approve")
    with Terminal(words, folder=home, environment=environment_in(home)) as terminal:
        terminal.wait_for("Write the keys of 1 host to known_hosts? [y/N]: ")
        assert (home / "known_hosts").read_text() == ""
        terminal.type("y\n")
        assert terminal.wait() == 0
    assert (home / "known_hosts").read_text().count(name_of(many_keyed)) == len(KINDS)


@pytest.mark.sshd
def test_replacing_keeps_all_that_is_not_the_hosts(
    home: Path, many_keyed: ServerAccount, shown: dict[str, str], other_key: str
) -> None:
    name = name_of(many_keyed)
    kept = [
        "# the fleet's keys\n",
        "\n",
        f"web9 {other_key}\n",
        f"{hashed('web9')} {other_key}\n",
        f"@cert-authority {name} {other_key}\n",
        f"@revoked {name} {other_key}\n",
        f"[127.0.0.*]:{many_keyed.port},!{name}x {other_key} a pattern\n",
        f"{ADDRESS} {other_key} another port\n",
        f"   web8\t{other_key}\twith a tab\r\n",
        "garbage that nobody understands\n",
    ]
    gone = [
        f"{name} {other_key} the old one\n",
        f"{name.upper()} {shown['rsa']}\n",
        f"{hashed(name)} {other_key}\n",
    ]
    shortened = f"web7,{name},web6 {other_key} three names\n"
    lines = [*kept[:5], *gone, shortened, *kept[5:-1], f"{name} {other_key}\n", kept[-1]]
    (home / "known_hosts").write_bytes("".join(lines).encode())
    (home / "known_hosts").chmod(0o640)

    refused = approve(home)
    assert refused.code == 1
    assert (home / "known_hosts").read_bytes() == "".join(lines).encode()  # nothing by itself

    ran = approve(home, "--replace", "web1")
    assert ran.code == 0, ran.err
    after = (home / "known_hosts").read_bytes().decode().splitlines(keepends=True)
    *before, one, two, three = after
    assert before == [*kept[:5], f"web7,web6 {other_key} three names\n", *kept[5:]]
    assert {one, two, three} == {f"{name} {key}\n" for key in shown.values()}
    assert stat.S_IMODE((home / "known_hosts").stat().st_mode) == 0o640
    assert [path.name for path in home.glob("known_hosts*")] == ["known_hosts"]
    assert call("exec", "echo in", folder=home).out == "web1: in\n"


@pytest.mark.sshd
def test_replacing_removes_the_lines_that_ssh_keygen_would(
    home: Path, many_keyed: ServerAccount, shown: dict[str, str], other_key: str
) -> None:
    name = name_of(many_keyed)
    lines = [f"{name} {other_key}\n", f"web9 {other_key}\n", f"{name} {shown['rsa']}\n"]
    lines += [f"{hashed(name)} {shown['rsa']}\n", f"{hashed('web9')} {other_key}\n"]
    (home / "known_hosts").write_text("".join(lines))
    (home / "theirs").write_bytes((home / "known_hosts").read_bytes())
    remove = ["ssh-keygen", "-q", "-R", name, "-f", home / "theirs"]
    subprocess.run(remove, check=True, capture_output=True)
    assert approve(home, "--replace", "web1").code == 0
    ours = (home / "known_hosts").read_text().splitlines()[: -len(KINDS)]
    assert ours == (home / "theirs").read_text().splitlines()


@pytest.mark.sshd
@pytest.mark.parametrize("options", [(), ("--replace", "web1")], ids=["added", "replaced"])
def test_a_link_stays_a_link(
    home: Path, many_keyed: ServerAccount, other_key: str, options: tuple[str, ...]
) -> None:
    real = home / "dotfiles"
    real.mkdir()
    old = f"{name_of(many_keyed)} {other_key}\n" if options else ""
    (real / "known").write_text(old)
    (home / "known_hosts").unlink()
    (home / "known_hosts").symlink_to("dotfiles/known")
    assert approve(home, *options).code == 0
    assert (home / "known_hosts").readlink() == Path("dotfiles/known")
    assert (real / "known").read_text().count("\n") == len(KINDS)
    assert other_key not in (real / "known").read_text()


@pytest.mark.sshd
def test_a_key_in_the_systems_file_is_overruled_and_not_touched(
    home: Path, many_keyed: ServerAccount, other_key: str
) -> None:
    (home / "system").write_text(f"{name_of(many_keyed)} {other_key}\n")
    files = (str(home / "known_hosts"), str(home / "system"))
    write_inventory(home / "hosts.yaml", many_keyed.host("web1", known_hosts=files))
    assert approve(home).code == 1
    assert approve(home, "--replace", "web1").code == 0
    assert (home / "system").read_text() == f"{name_of(many_keyed)} {other_key}\n"
    assert call("exec", "echo in", folder=home).out == "web1: in\n"


@pytest.mark.sshd
def test_a_full_disk_leaves_the_file_as_it_was(
    home: Path, many_keyed: ServerAccount, other_key: str
) -> None:
    pytest.importorskip("resource", reason="limits are those of Unix")
    old = f"{name_of(many_keyed)} {other_key}\n" * 40
    (home / "known_hosts").write_text(old)
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    ignore = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    start = "from fleetrun.cli import main; sys.exit(main(sys.argv[1:]))"
    ran = subprocess.run(
        [
            *(sys.executable, "-B", "-c", limit + ignore + start),
            *("keys", "approve", "--yes", "--replace", "web1"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=home,
        env=environment_in(home),
    )
    assert ran.returncode == 1
    assert "web1: " in ran.stderr
    assert "its keys cannot be written: File too large" in ran.stderr
    assert (home / "known_hosts").read_text() == old
    assert [path.name for path in home.glob("known_hosts*")] == ["known_hosts"]


# --- several writers -----------------------------------------------------------------------------

_WRITER = """
import hashlib, sys
from pathlib import Path
from fleetrun.hosts import Host
from fleetrun.ssh.hostkeys import add_host_key, replace_host_keys
from fleetrun.ssh.known_hosts import HostKey

def key(seed):
    parts = (b"ssh-ed25519", hashlib.sha256(seed.encode()).digest())
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HostKey(key_type="ssh-ed25519", blob=blob)

file, writer = sys.argv[1:]
sys.stdin.readline()  # all of them at once
for number in range(30):
    host = Host(name=f"w{writer}n{number}", known_hosts=(file,))
    add_host_key(host, key(host.name))
    if number % 5 == 0:
        replace_host_keys(host, [key(host.name + "new")])
"""


def test_no_line_is_lost_or_torn_between_processes_that_add_and_replace(
    tmp_path: Path, other_key: str
) -> None:
    comments = f"# ours\nmine {other_key} a comment\n"
    file = tmp_path / "known_hosts"
    file.write_text(comments)
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _WRITER, file, str(number)],
                    stdin=subprocess.PIPE,
                    env=environment_in(tmp_path),
                )
            )
            for number in range(4)
        ]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write(b"\n")
            writer.stdin.close()
        assert [writer.wait() for writer in writers] == [0] * 4
    text = file.read_text()
    assert text.startswith(comments)
    lines = text.removeprefix(comments).splitlines()
    expected = {f"w{writer}n{number}" for writer in range(4) for number in range(30)}
    assert sorted(line.split()[0] for line in lines) == sorted(expected)
    assert {len(line.split()) for line in lines} == {3}


@pytest.mark.sshd
def test_two_approvals_at_once_both_come_through(
    home: Path, many_keyed: ServerAccount, shown: dict[str, str], tmp_path: Path
) -> None:
    # the same server by two names: each approval knows of one
    (tmp_path / "other").mkdir()
    known_hosts = (str(home / "known_hosts"),)
    other = replace(many_keyed.host("web2", known_hosts=known_hosts), address="localhost")
    write_inventory(tmp_path / "other" / "hosts.yaml", other)
    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    words_of("keys", "approve", "--yes", "--mode", mode),
                    cwd=folder,
                    env=environment_in(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            )
            for folder, mode in ((home, "threads"), (tmp_path / "other", "processes"))
        ]
        assert [each.wait() for each in both] == [0, 0]
    names = (name_of(many_keyed), f"[localhost]:{many_keyed.port}")
    lines = (home / "known_hosts").read_text().splitlines()
    assert sorted(lines) == sorted(f"{name} {key}" for name in names for key in shown.values())
