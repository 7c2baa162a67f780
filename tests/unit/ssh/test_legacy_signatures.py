"""With which signature a key of ours proves itself, and where SHA-1 comes in."""

from __future__ import annotations

import paramiko
import pytest
from scripted_peer import wire_to_a_socket

from fleetrun.ssh import legacy
from fleetrun.ssh.transport import Transport

OLD, NEW = b"ssh-ed25519,ssh-rsa", b"ssh-ed25519,rsa-sha2-256,rsa-sha2-512,ssh-rsa"


@pytest.mark.parametrize(
    ("says", "legacy_algorithms", "first", "has_sha_1"),
    [
        (None, False, "rsa-sha2-512", False),
        (NEW, False, "rsa-sha2-512", False),
        (OLD, False, "rsa-sha2-512", False),
        (None, True, "ssh-rsa", True),
        (NEW, True, "rsa-sha2-512", True),
        (OLD, True, "rsa-sha2-512", True),
        (b"\xff\xfe", False, "rsa-sha2-512", False),
    ],
    ids=["silent", "new", "old", "silent, legacy", "new, legacy", "old, legacy", "nonsense"],
)
def test_sha_1_is_the_last_choice_and_the_first_of_a_server_too_old_to_say(
    says: bytes | None, first: str, *, legacy_algorithms: bool, has_sha_1: bool
) -> None:
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=(), legacy_algorithms=legacy_algorithms)
        if says is not None:
            transport.server_extensions = {"server-sig-algs": says}
        of_rsa = [name for name in transport.preferred_pubkeys if "rsa" in name]
        assert of_rsa[0] == first
        assert ("ssh-rsa" in of_rsa) == has_sha_1
        assert transport.wants_legacy_signatures == (says == OLD)


def test_a_key_that_can_sign_with_sha_1_is_the_same_key_otherwise() -> None:
    key = paramiko.RSAKey.generate(1024)
    able = legacy.with_sha1(key)
    assert able.asbytes() == key.asbytes()
    for algorithm in ("ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"):
        signature = paramiko.Message(able.sign_ssh_data(b"data", algorithm).asbytes())
        assert able.verify_ssh_sig(b"data", signature)
        signature.rewind()
        assert key.verify_ssh_sig(b"data", signature) == (algorithm != "ssh-rsa")


def test_a_key_of_another_type_stays_as_it_is() -> None:
    key = paramiko.ECDSAKey.generate()
    assert legacy.with_sha1(key) is key
