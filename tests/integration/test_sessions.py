"""Sessions with a real sshd: what a host says, and what is made of it."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import run
from servers import ServerAccount, is_alive, make_key, start_sshd, wait_until

from fleetrun import Host, Result, Secret
from fleetrun.events import Event, Output, PhaseReached
from fleetrun.operations import Exec, Get, Operation, Put
from fleetrun.results import Outcome, Phase
from fleetrun.session import Cancel
from fleetrun.ssh.packets import Packets
from fleetrun.ssh.transport import Transport

pytestmark = pytest.mark.sshd

MIB = 1024 * 1024
DESCRIPTORS = Path("/proc/self/fd")


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Return so many bytes that do not repeat, the same ones each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311 (data, no secret)


@pytest.fixture
def host(sshd: ServerAccount) -> Host:
    """Return the account on the shared sshd as a host; a hang ends it."""
    return sshd.host("it", command_timeout_s=120.0)


# --- how a command ends --------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 1, 3, 127, 254, 255])
def test_the_status_is_the_commands_own(host: Host, status: int) -> None:
    result = run(host, f"echo out; echo err >&2; exit {status}")
    assert (result.exit_status, result.signal, result.phase) == (status, None, Phase.RUN)
    assert result.outcome is (Outcome.OK if status == 0 else Outcome.FAILED)
    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")


@pytest.mark.parametrize("name", ["KILL", "TERM", "HUP", "ABRT"])
def test_a_signal_is_the_commands_own(host: Host, name: str) -> None:
    result = run(host, f"ulimit -c 0; echo out; kill -{name} $$")
    assert (result.exit_status, result.signal) == (None, name)
    assert (result.outcome, result.error) == (Outcome.FAILED, f"killed by {name}")
    assert result.stdout == b"out\n"


def test_a_command_that_reads_gets_the_end_of_input_at_once(host: Host) -> None:
    result = run(host, "cat; echo done")
    assert (result.outcome, result.stdout) == (Outcome.OK, b"done\n")


def test_the_phases_come_in_order(host: Host) -> None:
    events: list[Event] = []
    run(host, "true", emit=events.append)
    phases = [event.phase for event in events if isinstance(event, PhaseReached)]
    assert phases == [phase for phase in Phase if phase is not Phase.TRANSFER]


# --- what it writes and reads --------------------------------------------------------------------


def test_output_arrives_byte_for_byte(host: Host, tmp_path: Path) -> None:
    content = bytes(range(256)) * 3 + b"\n\n\r\n\0" + b"no newline at the end"
    (tmp_path / "content").write_bytes(content)
    path = shlex.quote(str(tmp_path / "content"))
    result = run(host, f"cat {path}; cat {path} >&2")
    assert (result.stdout, result.stderr) == (content, content)


@pytest.mark.parametrize(
    "command",
    ["({out}) & ({err}); wait", "{out}; {err}", "{err}; {out}"],
    ids=["at once", "stdout first", "stderr first"],
)
def test_three_megabytes_on_each_stream_are_complete(host: Host, command: str) -> None:
    size = 3_000_000
    out = f"yes out | head -c {size}"
    err = f"yes err | head -c {size} >&2"
    result = run(host, command.format(out=out, err=err))
    assert result.outcome is Outcome.OK
    assert (result.stdout_bytes, result.stderr_bytes) == (size, size)
    assert result.stdout == b"out\n" * (size // 4)
    assert result.stderr == b"err\n" * (size // 4)


def test_twelve_megabytes_go_in_and_come_out_again(host: Host) -> None:
    content = some_bytes(12 * MIB)
    result = run(host, Exec(command="cat", stdin=content))
    assert result.outcome is Outcome.OK
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(content).digest()


def test_a_command_that_does_not_read_its_input_ends_all_the_same(host: Host) -> None:
    result = run(host, Exec(command="exec true", stdin=some_bytes(8 * MIB)))
    assert result.outcome is Outcome.OK


def test_output_over_the_limit_keeps_its_ends(host: Host) -> None:
    operation = Exec(command="echo first; yes | head -c 5000000; echo last", output_limit_bytes=100)
    result = run(host, operation)
    assert result.outcome is Outcome.OK
    assert result.stdout.startswith(b"first\ny\n")
    assert result.stdout.endswith(b"y\nlast\n")
    assert (len(result.stdout), result.stdout_bytes) == (100, 5_000_011)


# --- one thread, one descriptor ------------------------------------------------------------------


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="descriptors are counted where there is /proc")
@pytest.mark.parametrize("way", ["command", "files"])
def test_a_session_has_one_descriptor_and_no_thread_of_its_own(
    host: Host, way: str, tmp_path: Path
) -> None:
    cancel = Cancel()
    seen: list[tuple[int, int]] = []

    def look(event: Event) -> None:
        if isinstance(event, Output) or event == reached(event, Phase.TRANSFER):
            seen.append((len(list(DESCRIPTORS.iterdir())), threading.active_count()))

    (tmp_path / "file").touch()
    operations: dict[str, Operation] = {
        "command": Exec(command="echo now; sleep 0.1; echo and now", live=True),
        "files": Get(sources=(f"{tmp_path}/file",), target=tmp_path / "got"),
    }
    run(host, "true", cancel=cancel)  # what is imported and remembered for good is there now
    descriptors, threads = len(list(DESCRIPTORS.iterdir())), threading.active_count()
    assert run(host, operations[way], emit=look, cancel=cancel).ok
    cancel.close()
    assert set(seen) == {(descriptors + 1, threads)}


def reached(event: Event, phase: Phase) -> Event | None:
    """Return the event if it is that the phase was reached."""
    return event if isinstance(event, PhaseReached) and event.phase is phase else None


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 32_767, 32_768, 32_769, 5 * MIB + 17])
def test_a_file_goes_there_and_back_byte_for_byte(host: Host, size: int, tmp_path: Path) -> None:
    there, source = tmp_path / "there", tmp_path / "file"
    there.mkdir()
    source.write_bytes(some_bytes(size))
    put = run(host, Put(sources=(source,), target=f"{there}/"))
    assert (put.outcome, put.files) == (Outcome.OK, (f"{there}/file",))
    assert (there / "file").read_bytes() == source.read_bytes()
    got = run(host, Get(sources=(f"{there}/file",), target=tmp_path / "here"))
    assert got.outcome is Outcome.OK
    assert Path(got.files[0]).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o777, 0o400], ids=oct)
def test_permission_bits_go_with_the_file_whatever_the_servers_umask(
    host: Host, mode: int, tmp_path: Path
) -> None:
    source = tmp_path / "file"
    source.write_text("x")
    source.chmod(mode)
    assert run(host, Put(sources=(source,), target=f"{tmp_path}/there")).ok
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == mode
    got = run(host, Get(sources=(f"{tmp_path}/there",), target=tmp_path / "here"))
    assert stat.S_IMODE(Path(got.files[0]).stat().st_mode) == mode


@pytest.mark.parametrize(
    "name",
    ["n" * 255, "-rf", " ", "a b\nc", "gr\u00fc\u00dfe", os.fsdecode(b"\xff\xe9"), "$(id)`id`;'\""],
    ids=ascii,
)
def test_a_file_may_have_any_name_that_files_can_have(
    host: Host, name: str, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    source = tmp_path / name
    try:
        source.write_text("content")
    except OSError:
        pytest.skip("no such names on this file system")
    put = run(host, Put(sources=(source,), target=f"{tmp_path}/there"))
    assert put.outcome is Outcome.OK, put.error
    assert [path.name for path in (tmp_path / "there").iterdir()] == [name]
    got = run(host, Get(sources=(f"{tmp_path}/there/{name}",), target=tmp_path / "here"))
    assert got.outcome is Outcome.OK, got.error
    assert Path(got.files[0]).read_text() == "content"


@pytest.mark.parametrize(
    ("denied", "words"),
    [
        ("-R", "ermission denied|ead-only"),
        ("-P write", "ermission denied"),
        ("-P fsetstat", "ermission denied"),
        ("-P posix-rename,rename", "ermission denied"),
    ],
    ids=["read-only server", "no writing", "no permission bits", "no renaming"],
)
def test_a_refused_put_leaves_the_old_file_and_nothing_beside_it(
    denied: str, words: str, tmp_path: Path
) -> None:
    there, source = tmp_path / "there", tmp_path / "file"
    there.mkdir()
    (there / "file").write_text("old")
    source.write_bytes(some_bytes(300_000))
    with start_sshd(tmp_path, extra=[f"Subsystem sftp internal-sftp {denied}"]) as account:
        result = run(account.host("it"), Put(sources=(source,), target=f"{there}/"))
    assert (result.outcome, result.phase) == (Outcome.FAILED, Phase.TRANSFER)
    assert any(word in str(result.error) for word in words.split("|")), result.error
    assert [(path.name, path.read_text()) for path in there.iterdir()] == [("file", "old")]


def test_a_server_without_posix_rename_gets_the_file_all_the_same(tmp_path: Path) -> None:
    there, source = tmp_path / "there", tmp_path / "file"
    there.mkdir()
    (there / "file").write_text("old")
    source.write_text("new")
    with start_sshd(tmp_path, extra=["Subsystem sftp internal-sftp -P posix-rename"]) as account:
        assert run(account.host("it"), Put(sources=(source,), target=f"{there}/")).ok
    assert [(path.name, path.read_text()) for path in there.iterdir()] == [("file", "new")]


def test_a_refused_get_leaves_the_old_file(host: Host, tmp_path: Path) -> None:
    place = tmp_path / "here" / "it"
    place.mkdir(parents=True)
    (place / "missing").write_text("old")
    result = run(replace(host, name="it"), Get(sources=("missing",), target=tmp_path / "here"))
    assert (result.outcome, result.error) == (Outcome.FAILED, "missing: no such file on the host")
    assert (place / "missing").read_text() == "old"


def test_a_host_without_the_file_service_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with start_sshd(tmp_path, extra=["Subsystem other internal-sftp"]) as account:
        result = run(account.host("it"), Put(sources=(tmp_path / "file",)))
    assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.SESSION)
    assert "has no sftp subsystem" in str(result.error)


def test_files_of_the_kernel_have_no_size_and_are_read_to_their_end(
    host: Host, tmp_path: Path
) -> None:
    if sys.platform != "linux":
        pytest.skip("/proc is Linux's")
    result = run(host, Get(sources=("/proc/version",), target=tmp_path))
    assert Path(result.files[0]).read_text() == Path("/proc/version").read_text()


# --- new keys in mid-stream ----------------------------------------------------------------------


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item for each key exchange that has ended."""
    ended: list[int] = []
    parse = Transport._parse_newkeys

    def count(transport: Transport, message: object) -> None:
        parse(transport, message)
        ended.append(1)

    monkeypatch.setattr(Transport, "_parse_newkeys", count)
    return ended


@pytest.fixture(params=["the host's wish", "our wish", "both want it"])
def rekeying_host(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Host]:
    """Return a host with which keys are exchanged anew after each megabyte or so."""
    if request.param != "the host's wish":
        monkeypatch.setattr(Packets, "REKEY_BYTES", MIB)
    extra = [] if request.param == "our wish" else ["RekeyLimit 1M"]
    with start_sshd(tmp_path, extra=extra) as account:
        yield account.host("it", command_timeout_s=120.0)


def test_a_stream_from_the_host_survives_new_keys(
    rekeying_host: Host, exchanges: list[int], tmp_path: Path
) -> None:
    content = some_bytes(12 * MIB)
    (tmp_path / "content").write_bytes(content)
    result = run(rekeying_host, f"cat {shlex.quote(str(tmp_path / 'content'))}")
    assert result.outcome is Outcome.OK, result.error
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(content).digest()
    assert len(exchanges) >= 5


def test_a_stream_to_the_host_survives_new_keys(
    rekeying_host: Host, exchanges: list[int], tmp_path: Path
) -> None:
    content = some_bytes(12 * MIB)
    arrived = tmp_path / "arrived"
    command = f"cat > {shlex.quote(str(arrived))}"
    result = run(rekeying_host, Exec(command=command, stdin=content))
    assert result.outcome is Outcome.OK, result.error
    assert hashlib.sha256(arrived.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert len(exchanges) >= 5


def test_streams_in_both_directions_at_once_survive_new_keys(
    rekeying_host: Host, exchanges: list[int]
) -> None:
    content = some_bytes(8 * MIB)
    result = run(rekeying_host, Exec(command="tee /dev/stderr", stdin=content))
    assert result.outcome is Outcome.OK, result.error
    digest = hashlib.sha256(content).digest()
    assert hashlib.sha256(result.stdout).digest() == digest
    assert hashlib.sha256(result.stderr).digest() == digest
    assert len(exchanges) >= 5


@pytest.mark.parametrize("cipher", Transport._preferred_ciphers)
def test_new_keys_are_taken_up_with_every_cipher(
    cipher: str, exchanges: list[int], tmp_path: Path
) -> None:
    content = some_bytes(4 * MIB)
    with start_sshd(tmp_path, extra=["RekeyLimit 1M", f"Ciphers {cipher}"]) as account:
        result = run(account.host("it"), Exec(command="cat", stdin=content))
    assert result.outcome is Outcome.OK, result.error
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(content).digest()
    assert len(exchanges) >= 3


def test_files_survive_new_keys(rekeying_host: Host, exchanges: list[int], tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(some_bytes(8 * MIB))
    assert run(rekeying_host, Put(sources=(source,), target=f"{tmp_path}/there")).ok
    got = run(rekeying_host, Get(sources=(f"{tmp_path}/there",), target=tmp_path / "here"))
    assert got.outcome is Outcome.OK, got.error
    assert Path(got.files[0]).read_bytes() == source.read_bytes()
    assert len(exchanges) >= 6


# --- what is agreed on ---------------------------------------------------------------------------

LEGACY = (
    ["KexAlgorithms diffie-hellman-group14-sha1"],
    ["HostKeyAlgorithms ssh-rsa"],
    ["Ciphers aes128-cbc"],
    ["Ciphers aes256-cbc", "MACs hmac-sha1"],
    ["Ciphers 3des-cbc", "MACs hmac-sha1-96"],
    ["Ciphers aes128-ctr", "MACs hmac-md5"],
    ["Ciphers aes128-ctr", "MACs hmac-md5-96"],
)


@pytest.mark.long
@pytest.mark.parametrize(
    "line",
    [
        *(f"KexAlgorithms {name}" for name in Transport._preferred_kex if "mlkem" not in name),
        *(f"Ciphers {name}" for name in Transport._preferred_ciphers),
        *(f"MACs {name}" for name in Transport._preferred_macs),
    ],
)
def test_whatever_we_offer_works_with_sshd(line: str, tmp_path: Path) -> None:
    extra = [line, *(["Ciphers aes128-ctr"] if line.startswith("MACs") else [])]
    content = some_bytes(200_000)
    with start_sshd(tmp_path, extra=extra) as account:
        result = run(account.host("it"), Exec(command="cat", stdin=content))
    assert (result.outcome, result.stdout) == (Outcome.OK, content), result.error


@pytest.mark.long
@pytest.mark.parametrize("lines", LEGACY, ids=" ".join)
def test_what_is_broken_is_spoken_when_the_host_asks_for_it_alone(
    lines: list[str], tmp_path: Path
) -> None:
    make_key(tmp_path / "rsa", "rsa")
    extra = [*lines, f"HostKey {tmp_path}/rsa"]
    with start_sshd(tmp_path, extra=extra) as account:
        line = (tmp_path / "rsa.pub").read_text().rsplit(" ", 1)[0]
        Path(account.known_hosts).write_text(f"[127.0.0.1]:{account.port} {line}\n")
        refused = run(account.host("it"), "true")
        taken = run(account.host("it", legacy_algorithms=True), "echo out")
    assert (refused.outcome, refused.phase) == (Outcome.UNREACHABLE, Phase.KEX)
    assert "no common" in str(refused.error)
    assert "--legacy-algorithms" in str(refused.error)
    assert (taken.outcome, taken.stdout) == (Outcome.OK, b"out\n"), taken.error


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_host_is_known_by_its_key_of_any_kind(kind: str, tmp_path: Path) -> None:
    make_key(tmp_path / "key", kind)
    with start_sshd(tmp_path, extra=[f"HostKey {tmp_path}/key"]) as account:
        line = (tmp_path / "key.pub").read_text()
        Path(account.known_hosts).write_text(f"[127.0.0.1]:{account.port} {line}")
        assert run(account.host("it"), "true").ok


@pytest.mark.long
def test_a_host_with_several_keys_is_known_by_any_of_them(tmp_path: Path) -> None:
    kinds = ("ed25519", "rsa", "ecdsa")
    for kind in kinds:
        make_key(tmp_path / kind, kind)
    with start_sshd(tmp_path, extra=[f"HostKey {tmp_path}/{kind}" for kind in kinds]) as account:
        for kind in kinds:
            line = (tmp_path / f"{kind}.pub").read_text()
            Path(account.known_hosts).write_text(f"[127.0.0.1]:{account.port} {line}")
            result = run(account.host("it"), "true")
            assert result.ok, result.error


def certify(authority: Path, key: Path, *options: str) -> None:
    """Let the authority sign the key; the certificate is written beside it."""
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "the certificate", *options]
    subprocess.run(
        [*command, f"{key}.pub"], check=True, stdin=subprocess.DEVNULL, capture_output=True
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("good", [True, False], ids=["good", "for another host"])
def test_a_host_is_known_by_its_certificate(kind: str, tmp_path: Path, *, good: bool) -> None:
    make_key(tmp_path / "authority")
    make_key(tmp_path / "key", kind)
    certify(tmp_path / "authority", tmp_path / "key", "-h", "-n", "127.0.0.1" if good else "web9")
    extra = [f"HostKey {tmp_path}/key", f"HostCertificate {tmp_path}/key-cert.pub"]
    with start_sshd(tmp_path, extra=extra) as account:
        line = (tmp_path / "authority.pub").read_text()
        Path(account.known_hosts).write_text(f"@cert-authority [127.0.0.1]:{account.port} {line}")
        result = run(account.host("it"), "true")
    if good:
        assert result.ok, result.error
    else:
        assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.HOSTKEY)
        assert "is for web9, not for 127.0.0.1" in str(result.error)


# --- logging in ----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("passphrase", [None, "open sesame"], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_key_of_any_kind_logs_in(kind: str, passphrase: str | None, tmp_path: Path) -> None:
    key = tmp_path / "own"
    make_key(key, kind)
    if passphrase is not None:
        change = ["ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", str(key)]
        subprocess.run(change, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    with start_sshd(tmp_path, extra=[f"AuthorizedKeysFile {key}.pub"]) as account:
        secret = None if passphrase is None else Secret(passphrase)
        result = run(account.host("it", private_key=str(key), key_passphrase=secret), "true")
    assert result.ok, result.error


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_certificate_beside_the_key_logs_in(kind: str, tmp_path: Path) -> None:
    make_key(tmp_path / "authority")
    make_key(tmp_path / "own", kind)
    extra = [f"TrustedUserCAKeys {tmp_path}/authority.pub", "AuthorizedKeysFile none"]
    with start_sshd(tmp_path, extra=extra) as account:
        certify(tmp_path / "authority", tmp_path / "own", "-n", account.user)
        result = run(account.host("it", private_key=str(tmp_path / "own")), "true")
    assert result.ok, result.error


def test_a_refused_key_is_named_with_what_the_host_takes(
    sshd: ServerAccount, tmp_path: Path
) -> None:
    make_key(tmp_path / "stranger")
    result = run(sshd.host("it", private_key=str(tmp_path / "stranger")), "true")
    assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert "key ssh-ed25519 SHA256:" in str(result.error)
    assert "it takes publickey" in str(result.error)


# --- terminals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stdin", [b"", b"one line\n", b"half a line"])
def test_a_terminal_is_one_and_knows_the_end_of_input(host: Host, stdin: bytes) -> None:
    operation = Exec(command="tty >/dev/null && stty -echo && cat", stdin=stdin, pty=True)
    result = run(host, operation)
    assert result.outcome is Outcome.OK, result
    assert result.stdout.replace(b"\r\n", b"\n").rstrip(b"\n").endswith(stdin.rstrip(b"\n"))
    assert result.stderr == b""


def test_a_host_that_gives_no_terminal_is_told_before_the_command_is_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    with start_sshd(tmp_path, extra=["PermitTTY no"]) as account:
        host = account.host("it", command_timeout_s=60.0)
        result = run(host, Exec(command=f"touch {shlex.quote(str(ran))}; cat", pty=True))
    assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.SESSION)
    assert "terminal" in str(result.error)
    assert not ran.exists()


# --- ending a command from here ------------------------------------------------------------------


def first_number(result: Result) -> int:
    """Return the process id that the command has written."""
    return int(result.stdout.split()[0])


@pytest.mark.parametrize("traps", ["", "trap '' TERM; "], ids=["TERM is enough", "KILL is needed"])
def test_a_command_is_killed_and_seen_to_be_gone(sshd: ServerAccount, traps: str) -> None:
    host = sshd.host("it", command_timeout_s=1.0)
    command = f"{traps}echo $$; while :; do sleep 0.1; done"
    result = run(host, Exec(command=command, confirm_kill=True))
    assert (result.outcome, result.killed, result.may_still_run) == (Outcome.TIMEOUT, True, False)
    assert not is_alive(first_number(result))


def test_a_command_with_a_terminal_ends_with_the_session(sshd: ServerAccount) -> None:
    host = sshd.host("it", command_timeout_s=1.0)
    result = run(host, Exec(command="echo $$; exec sleep 1000", pty=True))
    assert result.outcome is Outcome.TIMEOUT
    wait_until(lambda: not is_alive(first_number(result)))


def test_a_cancel_ends_a_command_that_is_running(host: Host) -> None:
    cancel = Cancel()

    def press(event: Event) -> None:
        if isinstance(event, Output):
            cancel.press()

    operation = Exec(command="echo $$; exec sleep 1000", live=True, confirm_kill=True)
    result = run(host, operation, emit=press, cancel=cancel)
    cancel.close()
    assert (result.outcome, result.killed) == (Outcome.LOST, True)
    assert not is_alive(first_number(result))


def test_a_time_limit_on_the_host_ends_the_command_there(host: Host) -> None:
    if shutil.which("timeout") is None:
        pytest.skip("this machine has no timeout program")
    result = run(host, Exec(command="echo $$; exec sleep 1000", remote_timeout_s=0.2))
    assert (result.outcome, result.exit_status) == (Outcome.FAILED, 124)
    assert not is_alive(first_number(result))


# --- another user --------------------------------------------------------------------------------

FAKE_SUDO = """#!/bin/sh
# Behaves as sudo does with -n and with -S -p, for one password that is in a file beside it.
here={here}
never= prompt= user=
while [ $# -gt 0 ]; do
    case $1 in
        -n) never=yes ;;
        -p) prompt=$2; shift ;;
        -u) user=$2; shift ;;
        --) shift; break ;;
    esac
    shift
done
if [ -f "$here/password" ]; then
    [ -z "$never" ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
    for try in 1 2 3; do
        printf %s "$prompt" >&2
        IFS= read -r answer || {{ echo "sudo: no password was provided" >&2; exit 1; }}
        printf '%s\\n' "$answer" >> "$here/answers"
        [ "$answer" != "$(cat "$here/password")" ] || break
        echo "Sorry, try again." >&2
        [ "$try" -lt 3 ] || exit 1
    done
fi
FAKE_USER=$user exec "$@"
"""
PASSWORD = "open 'sesame' \"$HOME\" \\"


@pytest.fixture
def sudo(tmp_path: Path) -> Path:
    """Return a folder with a sudo that asks for no password; a file `password` makes it ask."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sudo").write_text(FAKE_SUDO.format(here=shlex.quote(str(folder))))
    (folder / "sudo").chmod(0o755)
    return folder


@pytest.fixture
def sudo_host(sudo: Path, tmp_path: Path) -> Iterator[Host]:
    """Return a host on whose PATH that sudo stands first."""
    path = f"{sudo}:/usr/local/bin:/usr/bin:/bin"
    with start_sshd(tmp_path, extra=[f"SetEnv PATH={path}"]) as account:
        yield account.host("it", command_timeout_s=60.0, become_user="boss")


COMMAND = Exec(command='echo "$FAKE_USER"; cat; echo err >&2; exit 3', stdin=b"in\nput")


def test_without_a_password_another_user_runs_the_command(sudo_host: Host) -> None:
    result = run(sudo_host, COMMAND)
    assert (result.exit_status, result.stdout, result.stderr) == (3, b"boss\nin\nput", b"err\n")


def test_sudo_that_wants_a_password_which_was_not_given_fails_in_its_own_words(
    sudo_host: Host, sudo: Path
) -> None:
    (sudo / "password").write_text(PASSWORD)
    result = run(sudo_host, COMMAND)
    assert (result.outcome, result.exit_status) == (Outcome.FAILED, 1)
    assert result.stderr == b"sudo: a password is required\n"
    assert not (sudo / "answers").exists()


def test_the_password_is_given_once_and_the_commands_own_input_follows(
    sudo_host: Host, sudo: Path
) -> None:
    (sudo / "password").write_text(PASSWORD)
    result = run(replace(sudo_host, become_password=Secret(PASSWORD)), COMMAND)
    assert (result.exit_status, result.stdout, result.stderr) == (3, b"boss\nin\nput", b"err\n")
    assert (sudo / "answers").read_text() == f"{PASSWORD}\n"


def test_a_password_that_is_not_asked_for_is_not_given(sudo_host: Host) -> None:
    result = run(replace(sudo_host, become_password=Secret(PASSWORD)), COMMAND)
    assert (result.exit_status, result.stdout, result.stderr) == (3, b"boss\nin\nput", b"err\n")


@pytest.mark.parametrize("stdin", [b"", b"not a password\nnor this\n"], ids=["no stdin", "stdin"])
def test_a_wrong_password_is_told_in_plain_words_and_nothing_else_is_tried(
    sudo_host: Host, sudo: Path, stdin: bytes
) -> None:
    (sudo / "password").write_text(PASSWORD)
    host = replace(sudo_host, become_password=Secret("wrong"))
    result = run(host, replace(COMMAND, stdin=stdin))
    assert result.outcome is Outcome.FAILED
    assert result.error == "sudo did not take the password (to become boss)"
    assert (sudo / "answers").read_text() == "wrong\n"
    assert result.stdout == b""
    assert b"fleetrun" not in result.stderr


def test_the_password_is_taken_over_a_terminal_too(sudo_host: Host, sudo: Path) -> None:
    (sudo / "password").write_text(PASSWORD)
    host = replace(sudo_host, become_password=Secret(PASSWORD))
    result = run(host, Exec(command='echo "$FAKE_USER"', pty=True))
    assert result.outcome is Outcome.OK, result
    assert b"boss\r\n" in result.stdout
    assert b"fleetrun" not in result.stdout


def test_the_real_sudo_runs_the_command_as_root(host: Host) -> None:
    asked = ["sudo", "-n", "true"]
    if shutil.which("sudo") is None or subprocess.run(asked, check=False).returncode:
        pytest.skip("no sudo here that asks for no password")
    result = run(replace(host, become_user="root"), Exec(command="id -u; cat", stdin=b"in"))
    assert (result.outcome, result.stdout) == (Outcome.OK, b"0\nin"), result


# --- what is left behind -------------------------------------------------------------------------


def test_a_child_that_holds_the_output_open_does_not_hold_up_the_result(host: Host) -> None:
    result = run(host, "echo out; sleep 1000 & echo $!")
    assert result.exit_status == 0
    assert "still holds its output open" in str(result.error)
    assert result.stdout.startswith(b"out\n")
    os.kill(int(result.stdout.split()[1]), 9)
