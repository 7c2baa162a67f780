"""Private key files: which of them can be used is said before any connection."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from host_key_pool import keygen, make_host_key, sign

from fleetrun import Host
from fleetrun.errors import AuthError, UsageError
from fleetrun.hosts import Secret
from fleetrun.ssh import keys
from fleetrun.ssh.keyfile import look_at_key, look_at_keys
from fleetrun.ssh.keys import read_key

KINDS = {
    "ed25519": ("-t", "ed25519"),
    "rsa": ("-t", "rsa", "-b", "1024"),
    "ecdsa": ("-t", "ecdsa"),
    "rsa, PEM": ("-t", "rsa", "-b", "1024", "-m", "PEM"),
    "ecdsa, PEM": ("-t", "ecdsa", "-m", "PEM"),
    "rsa, PKCS8": ("-t", "rsa", "-b", "1024", "-m", "PKCS8"),
}
PASSPHRASE = "open sesame"
FEW_ROUNDS = ("-a", "1")  # deriving the key is meant to take long


def make_key(path: Path, kind: str, passphrase: str = "") -> str:
    """Make a private key of a kind, and return its path as a host names it."""
    keygen("-q", *KINDS[kind], *FEW_ROUNDS, "-N", passphrase, "-C", "c", "-f", str(path))
    return str(path)


# --- looking, without decrypting -----------------------------------------------------------------


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", KINDS)
def test_whether_a_key_is_encrypted_is_seen_without_its_passphrase(
    kind: str, passphrase: str, tmp_path: Path
) -> None:
    looked_at = look_at_key(make_key(tmp_path / "key", kind, passphrase))
    assert looked_at.encrypted == bool(passphrase)
    assert looked_at.path == tmp_path / "key"


def test_the_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make_key(tmp_path / "key", "ed25519")
    assert look_at_key("~/key").path == tmp_path / "key"


def armoured(text: str) -> str:
    """Return the text between the lines that OpenSSH's keys begin and end with."""
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n"


CONTENTS = {
    "a public key": ("ssh-ed25519 AAAA comment\n", "is a public key"),
    "empty": ("", "is no private key"),
    "garbage": ("\0\xff garbage", "is no private key"),
    "a password": ("hunter2\n", "is no private key"),
    "no end": ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "is no private key"),
    "not base64": (armoured("%%"), "damaged"),
    "half a group": (armoured("b3Ble"), "damaged"),
    "other magic": (armoured("AAAA"), "not in OpenSSH's format"),
    "magic alone": (armoured("b3BlbnNzaC1rZXktdjEA"), "damaged"),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_a_file_that_is_no_private_key_is_refused(content: str, tmp_path: Path) -> None:
    text, reason = CONTENTS[content]
    path = tmp_path / "key"
    path.write_text(text, "latin-1")
    path.chmod(0o600)
    with pytest.raises(UsageError, match=f"^{path}: .*{reason}"):
        look_at_key(str(path))


def test_a_path_that_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        look_at_key(str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="is a folder"):
        look_at_key(str(tmp_path))


def test_the_public_half_is_named_as_such(tmp_path: Path) -> None:
    path = make_key(tmp_path / "key", "ed25519")
    with pytest.raises(UsageError, match=r"give the private one, without \.pub"):
        look_at_key(f"{path}.pub")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused_as_ssh_does(mode: int, tmp_path: Path) -> None:
    path = make_key(tmp_path / "key", "ed25519")
    Path(path).chmod(mode)
    with pytest.raises(UsageError, match=rf"mode {mode:04o}.*chmod 600 {path}"):
        look_at_key(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_that_we_may_not_read_is_refused(tmp_path: Path) -> None:
    path = make_key(tmp_path / "key", "ed25519")
    Path(path).chmod(0o200)
    with pytest.raises(UsageError, match="cannot be read: permission denied"):
        look_at_key(path)


def test_each_key_is_looked_at_once_and_the_first_bad_one_is_told(tmp_path: Path) -> None:
    good = make_key(tmp_path / "good", "ed25519")
    hosts = [
        Host(name="web1", private_key=good),
        Host(name="web2", private_key=good),
        Host(name="web3"),
    ]
    assert [key.path for key in look_at_keys(hosts)] == [Path(good)]
    bad = [Host(name="web4", private_key=str(tmp_path / "missing"))]
    with pytest.raises(UsageError, match="missing"):
        look_at_keys([*hosts, *bad])


def test_no_more_is_read_of_a_file_than_a_key_can_be_long(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with path.open("wb") as huge:
        huge.truncate(1 << 40)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="is no private key"):
        look_at_key(str(path))


# --- reading -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Forget the keys that earlier tests have read."""
    keys._read_key.cache_clear()


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_read_with_its_passphrase(kind: str, passphrase: str, tmp_path: Path) -> None:
    path = make_key(tmp_path / "key", kind, passphrase)
    key = read_key(path, Secret(PASSPHRASE))  # one that is not needed does no harm
    fingerprint = keygen("-lf", f"{path}.pub").split()[1]
    assert key.fingerprint == fingerprint


def test_a_key_is_read_and_decrypted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_key(tmp_path / "key", "ed25519", PASSPHRASE)
    opened: list[bytes] = []
    load = serialization.load_ssh_private_key

    def noting(content: bytes, passphrase: bytes) -> object:
        opened.append(content)
        return load(content, passphrase)

    monkeypatch.setattr(serialization, "load_ssh_private_key", noting)
    made = {id(read_key(path, Secret(PASSPHRASE))) for _ in range(5)}
    assert (len(made), len(opened)) == (1, 1)


@pytest.mark.parametrize("kind", ["ed25519", "rsa, PEM", "rsa, PKCS8"])
@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [(Secret("wrong"), "the passphrase does not open"), (None, "no passphrase was given")],
    ids=["wrong", "none"],
)
def test_an_encrypted_key_without_its_passphrase_is_told(
    kind: str, passphrase: Secret | None, reason: str, tmp_path: Path
) -> None:
    path = make_key(tmp_path / "key", kind, PASSPHRASE)
    with pytest.raises(AuthError, match=f"{path}: .*{reason}") as refused:
        read_key(path, passphrase)
    assert "wrong" not in str(refused.value)


def test_a_certificate_beside_the_key_is_offered_with_it(tmp_path: Path) -> None:
    authority = make_host_key(tmp_path / "authority")
    user = make_host_key(tmp_path / "user")
    certificate = sign(authority, user, "-n", "me", host=False)
    key = read_key(str(user.path))
    assert key.public_blob.key_type == "ssh-ed25519-cert-v01@openssh.com"
    assert key.public_blob.key_blob == certificate.blob


def test_a_key_of_a_kind_that_is_not_supported_is_told(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n")
    path.chmod(0o600)
    with pytest.raises(AuthError, match="is no private key that can be used"):
        read_key(str(path))
