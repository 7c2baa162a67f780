"""The verdict on a host key under each policy, and the writing of new ones."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleetrun import Host, HostKeyPolicy
from fleetrun.errors import HostKeyError
from fleetrun.ssh import known_hosts
from fleetrun.ssh.hostkeys import (
    add_host_key,
    check_host_key,
    host_key_of,
    known_name,
    offered_key_types,
    replace_host_keys,
)
from fleetrun.ssh.known_hosts import Entry, HostKey, KnownHosts


def key_of(seed: int, key_type: str = "ssh-ed25519") -> HostKey:
    """Return a key that looks right; nobody signs with it."""
    parts = (key_type.encode(), seed.to_bytes(32, "big"))
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return HostKey(key_type=key_type, blob=blob)


def line_of(name: str, key: HostKey, marker: str = "") -> str:
    """Return a line of known_hosts."""
    return f"{marker}{name} {key.key_type} {base64.b64encode(key.blob).decode()}\n"


KEY, OTHER, RSA = key_of(1), key_of(2), key_of(3, "ssh-rsa")


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Return where the host's known_hosts file is to be."""
    return tmp_path / "known_hosts"


def host_with(known: Path, **changes: Any) -> Host:  # noqa: ANN401 (the fields of Host)
    """Return a host with that known_hosts file; it accepts new keys unless told otherwise."""
    settings = {"host_keys": HostKeyPolicy.ACCEPT_NEW, "known_hosts": (str(known),), **changes}
    return Host(**{"name": "web1", **settings})


# --- policies ------------------------------------------------------------------------------------

STATES = {
    "known": line_of("web1", KEY),
    "new": line_of("web2", KEY),
    "changed": line_of("web1", OTHER),
    "known by another type": line_of("web1", RSA),
    "revoked": line_of("web1", KEY) + line_of("*", KEY, "@revoked "),
    "garbage": "garbage\n",
    "no file": None,
}
TAKEN = {
    HostKeyPolicy.STRICT: {"known"},
    HostKeyPolicy.ACCEPT_NEW: {"known", "new", "garbage", "no file"},
    HostKeyPolicy.OFF: set(STATES),
}


@pytest.mark.parametrize("policy", HostKeyPolicy, ids=str)
@pytest.mark.parametrize("state", STATES)
def test_a_policy_takes_what_it_says_and_writes_only_what_is_new(
    state: str, policy: HostKeyPolicy, known: Path
) -> None:
    before = STATES[state]
    if before is not None:
        known.write_text(before)
    host = host_with(known, host_keys=policy)
    if state in TAKEN[policy]:
        check_host_key(host, KEY)
    else:
        with pytest.raises(HostKeyError):
            check_host_key(host, KEY)
    added = policy is HostKeyPolicy.ACCEPT_NEW and state in {"new", "garbage", "no file"}
    after = known.read_text() if known.exists() else None
    assert after == ((before or "") + line_of("web1", KEY) if added else before)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("new", [KEY.fingerprint, "web1", "{known}", "fleetrun keys approve"]),
        ("changed", [KEY.fingerprint, OTHER.fingerprint, "{known}:1", "CHANGED", "--replace web1"]),
        ("revoked", [KEY.fingerprint, "{known}:2", "revoked"]),
    ],
)
def test_a_refusal_says_which_key_where_and_what_to_do(
    state: str, words: list[str], known: Path
) -> None:
    known.write_text(str(STATES[state]))
    with pytest.raises(HostKeyError) as refused:
        check_host_key(host_with(known, host_keys=HostKeyPolicy.STRICT), KEY)
    for word in words:
        assert word.format(known=known) in str(refused.value)


def test_a_change_is_shown_by_the_known_key_of_the_same_type(known: Path) -> None:
    known.write_text(line_of("web1", RSA) + line_of("web1", OTHER))
    with pytest.raises(HostKeyError, match=f"known_hosts:2 has ssh-ed25519 {OTHER.fingerprint}"):
        check_host_key(host_with(known), KEY)


def test_several_files_vouch_together_and_a_revocation_in_any_of_them_counts(
    known: Path, tmp_path: Path
) -> None:
    system = tmp_path / "ssh_known_hosts"
    known.write_text(line_of("web1", OTHER))
    system.write_text(line_of("web1", KEY))
    host = host_with(known, known_hosts=(str(known), str(system)))
    check_host_key(host, KEY)
    system.write_text(line_of("web1", KEY) + line_of("web1", KEY, "@revoked "))
    with pytest.raises(HostKeyError, match="revoked"):
        check_host_key(host, KEY)


@pytest.mark.parametrize(
    ("address", "port", "name"),
    [
        ("web1", 22, "web1"),
        ("web1", 2222, "[web1]:2222"),
        ("::1", 22, "::1"),
        ("::1", 2222, "[::1]:2222"),
    ],
)
def test_a_host_is_known_by_its_address_and_port(address: str, port: int, name: str) -> None:
    assert known_name(Host(name="web1", address=address, port=port)) == name


def test_two_hosts_behind_one_address_and_port_cannot_have_two_keys(known: Path) -> None:
    check_host_key(host_with(known, name="alias1", address="web1"), KEY)
    with pytest.raises(HostKeyError, match="CHANGED"):
        check_host_key(host_with(known, name="alias2", address="web1"), OTHER)


@pytest.mark.parametrize("blob", [b"", b"\0\0\0", b"\0\0\0\x05ab", b"\xff" * 8])
def test_a_key_that_is_none_is_an_unknown_key(blob: bytes, known: Path) -> None:
    with pytest.raises(HostKeyError):
        check_host_key(host_with(known, host_keys=HostKeyPolicy.STRICT), host_key_of(blob))


# --- the order in which key types are asked for --------------------------------------------------

SUPPORTED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        ("", SUPPORTED),
        (line_of("web1", KEY), SUPPORTED),
        (line_of("web1", RSA), (*SUPPORTED[2:], *SUPPORTED[:2])),
        (line_of("web2", RSA), SUPPORTED),
        (line_of("web1", RSA, "@revoked "), SUPPORTED),
        (
            line_of("web1", key_of(4, "ecdsa-sha2-nistp256")),
            ("ecdsa-sha2-nistp256", "ssh-ed25519", *SUPPORTED[2:]),
        ),
    ],
    ids=["nothing known", "ed25519", "rsa", "another host's", "revoked", "ecdsa"],
)
def test_the_types_that_are_known_for_the_host_are_asked_for_first(
    lines: str, order: tuple[str, ...], known: Path
) -> None:
    known.write_text(lines)
    assert offered_key_types(host_with(known), SUPPORTED) == order


def test_certificates_are_asked_for_where_an_authority_is_known(known: Path) -> None:
    known.write_text(line_of("web*", OTHER, "@cert-authority ") + line_of("web1", RSA))
    offered = offered_key_types(host_with(known), SUPPORTED)
    assert [name.removesuffix("-cert-v01@openssh.com") for name in offered[:4]] == [*SUPPORTED]
    assert offered[4] == "rsa-sha2-512"


# --- writing a new key ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# a comment\n\n",
        line_of("web2", OTHER),
        line_of("web2", OTHER).rstrip("\n"),
        "web2 ssh-ed25519 AAAAC3",
        "caf\xe9 \xff\n",
    ],
    ids=["empty", "comment", "other host", "no final newline", "torn line", "Latin-1"],
)
def test_what_is_in_the_file_is_kept_and_the_new_key_gets_a_line_of_its_own(
    before: str, known: Path
) -> None:
    known.write_bytes(before.encode("latin-1"))
    add_host_key(host_with(known), KEY)
    after = known.read_bytes()
    assert after.startswith(before.encode("latin-1"))
    assert after.decode("latin-1").splitlines()[-1] + "\n" == line_of("web1", KEY)
    assert after.count(b"\n\n") == before.count("\n\n")


def test_a_missing_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    known = tmp_path / ".ssh" / "known_hosts"
    add_host_key(host_with(known), KEY)
    assert stat.S_IMODE(known.stat().st_mode) == 0o600
    assert stat.S_IMODE(known.parent.stat().st_mode) == 0o700


def test_a_key_is_written_to_the_first_file_once(known: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    host = host_with(known, known_hosts=(str(known), str(second)))
    add_host_key(host, KEY)
    add_host_key(host, KEY)
    assert known.read_text() == line_of("web1", KEY)
    assert not second.exists()


def test_a_file_is_not_read_again_for_the_keys_that_are_added_to_it(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand new hosts would have it read a thousand times, each time a longer one."""
    known.write_text("# ours\n\n" + line_of("web0", KEY) + "# no end")
    parsed: list[int] = []
    parse = known_hosts._entry

    def noting(line: str, *, source: str, number: int) -> Entry:
        parsed.append(number)
        return parse(line, source=source, number=number)

    monkeypatch.setattr(known_hosts, "_entry", noting)
    hosts = [host_with(known, name=f"web{number}", port=2222) for number in range(1, 50)]
    added = [add_host_key(host, key_of(number)) for number, host in enumerate(hosts, start=1)]
    check_host_key(hosts[7], key_of(8))
    with pytest.raises(HostKeyError, match=f"CHANGED.*{known}:12 "):
        check_host_key(hosts[7], OTHER)
    assert parsed == [3]
    monkeypatch.undo()
    written = KnownHosts.parse(known.read_bytes().splitlines(), source=str(known)).all()
    assert list(written[1:]) == added


def test_what_somebody_else_appends_meanwhile_is_seen(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that asks for no lock: ssh."""
    known.write_text(line_of("web0", KEY))
    fsync = os.fsync

    def append_too(descriptor: int) -> None:
        with known.open("a") as file:
            file.write(line_of("web3", OTHER))
        fsync(descriptor)

    add_host_key(host_with(known), KEY)
    monkeypatch.setattr(os, "fsync", append_too)
    add_host_key(host_with(known, name="web2"), KEY)
    monkeypatch.undo()
    for name, key in {"web0": KEY, "web1": KEY, "web2": KEY, "web3": OTHER}.items():
        host = host_with(known, name=name, host_keys=HostKeyPolicy.STRICT)
        check_host_key(host, key)


def test_another_key_that_was_written_meanwhile_is_seen_under_the_lock(known: Path) -> None:
    """Whoever looked before the other one wrote has judged the key to be new."""
    add_host_key(host_with(known), OTHER)
    with pytest.raises(HostKeyError, match="CHANGED"):
        add_host_key(host_with(known), KEY)
    assert known.read_text() == line_of("web1", OTHER)


def test_many_threads_write_whole_lines_and_each_key_once(known: Path) -> None:
    known.write_text("# kept")
    hosts = [host_with(known, name=f"web{number}") for number in range(40)]
    meet = threading.Barrier(8)

    def work(start: int) -> None:
        meet.wait()
        for number in range(start, start + 40):
            check_host_key(hosts[number % 40], key_of(number % 40))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(0, 40, 5)))
    lines = known.read_text().splitlines(keepends=True)
    assert lines[0] == "# kept\n"
    assert sorted(lines[1:]) == sorted(line_of(f"web{n}", key_of(n)) for n in range(40))


def test_of_two_threads_that_show_different_keys_for_a_host_one_is_refused(known: Path) -> None:
    meet = threading.Barrier(2)
    refused: list[HostKey] = []

    def show(key: HostKey) -> None:
        meet.wait()
        try:
            check_host_key(host_with(known), key)
        except HostKeyError:
            refused.append(key)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(show, [KEY, OTHER]))
    (loser,) = refused
    assert known.read_text() == line_of("web1", OTHER if loser == KEY else KEY)


PROCESS = """
import sys
from fleetrun import Host, HostKeyPolicy
from fleetrun.ssh.hostkeys import add_host_key
from fleetrun.ssh.known_hosts import HostKey
for number in range(20):
    name = f"p{sys.argv[2]}n{number}"
    blob = bytes([0, 0, 0, 11]) + b"ssh-ed25519" + bytes([0, 0, 0, 4]) + name[:4].encode().ljust(4)
    key = HostKey(key_type="ssh-ed25519", blob=blob)
    add_host_key(Host(name=name, known_hosts=(sys.argv[1],)), key)
"""


def test_several_processes_write_whole_lines(known: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(known)]
    running = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    entries = KnownHosts.parse(known.read_bytes().splitlines(), source="").all()
    expected = {f"p{process}n{number}" for process in range(3) for number in range(20)}
    assert [entry.patterns for entry in entries if entry.patterns not in expected] == []
    assert len(entries) == len(expected)


# --- a file that cannot be written ---------------------------------------------------------------


def test_a_full_disk_is_told_and_leaves_no_torn_line(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.write_text("# kept\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    with pytest.raises(HostKeyError, match="cannot be written there: No space left"):
        add_host_key(host_with(known), KEY)
    assert known.read_text() == "# kept\n"


def test_a_failed_write_to_the_disk_is_told_and_leaves_no_line(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(HostKeyError, match="Input/output error"):
        add_host_key(host_with(known), KEY)
    assert known.read_text() == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_file_is_told(known: Path) -> None:
    known.write_text("")
    known.chmod(0o400)
    with pytest.raises(HostKeyError, match="known_hosts: its key cannot be written there: Perm"):
        check_host_key(host_with(known), KEY)


@pytest.mark.parametrize("place", ["folder", "file/known_hosts"])
def test_a_place_where_no_file_can_be_is_told(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(HostKeyError, match=place):
        check_host_key(host_with(tmp_path / place), KEY)


def test_without_a_file_there_is_nowhere_to_write(known: Path) -> None:
    with pytest.raises(HostKeyError, match="no known_hosts file"):
        check_host_key(host_with(known, known_hosts=()), KEY)


# --- replacing a host's keys ---------------------------------------------------------------------

BEFORE = (
    "# comment\n"
    + line_of("web1", OTHER)
    + line_of("web1,web2", OTHER)
    + line_of("web*", OTHER)
    + line_of("web1", RSA, "@revoked ")
    + line_of("[web1]:2222", OTHER)
)


def test_replacing_takes_out_the_lines_of_this_host_alone(known: Path) -> None:
    known.write_text(BEFORE)
    known.chmod(0o640)
    replace_host_keys(host_with(known), [KEY])
    assert known.read_text() == (
        "# comment\n"
        + line_of("web2", OTHER)
        + line_of("web*", OTHER)
        + line_of("web1", RSA, "@revoked ")
        + line_of("[web1]:2222", OTHER)
        + line_of("web1", KEY)
    )
    assert stat.S_IMODE(known.stat().st_mode) == 0o640
    assert [entry.name for entry in known.parent.iterdir()] == ["known_hosts"]


def test_a_revoked_key_is_never_put_in_anothers_place(known: Path) -> None:
    known.write_text(BEFORE)
    with pytest.raises(HostKeyError, match="revoked"):
        replace_host_keys(host_with(known), [RSA])
    assert known.read_text() == BEFORE


def test_a_file_that_is_a_link_stays_one(known: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "known_hosts"
    real.parent.mkdir()
    real.write_text(BEFORE)
    known.symlink_to(real)
    replace_host_keys(host_with(known), [KEY])
    assert known.is_symlink()
    assert real.read_text().endswith(line_of("web1", KEY))
