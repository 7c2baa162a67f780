"""Host certificates that ssh-keygen has made: which of them are good for a host."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from host_key_pool import MadeKey, make_host_key, sign

from fleetrun import Host, HostKeyPolicy
from fleetrun.errors import HostKeyError
from fleetrun.ssh.certificate import SUFFIX, Certificate
from fleetrun.ssh.hostkeys import check_host_key
from fleetrun.ssh.known_hosts import HostKey

KINDS = {"ed25519": (), "rsa": ("-b", "2048"), "ecdsa": ()}
"""With ssh-keygen's options that make it quick."""

NAME = "web1.example"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the keys of this module are."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def keys(folder: Path) -> dict[str, MadeKey]:
    """Return a host key of each kind."""
    return {
        kind: make_host_key(folder / f"host_{kind}", kind, *bits) for kind, bits in KINDS.items()
    }


@pytest.fixture(scope="module")
def authorities(folder: Path) -> dict[str, MadeKey]:
    """Return an authority of each kind."""
    return {
        kind: make_host_key(folder / f"authority_{kind}", kind, *bits)
        for kind, bits in KINDS.items()
    }


Certify = Callable[..., HostKey]


@pytest.fixture(scope="module")
def certify(keys: dict[str, MadeKey], authorities: dict[str, MadeKey]) -> Certify:
    """Return what makes certificates with options of ssh-keygen; ed25519 unless told otherwise."""

    def make(
        *options: str, by: str = "ed25519", key: str = "ed25519", host: bool = True
    ) -> HostKey:
        return sign(authorities[by], keys[key], *options, host=host)

    return make


@pytest.mark.long
@pytest.mark.parametrize(("key", "by"), list(itertools.product(KINDS, KINDS)), ids=str)
def test_a_certificate_of_every_kind_by_an_authority_of_every_kind_is_good(
    key: str, by: str, certify: Certify, keys: dict[str, MadeKey], authorities: dict[str, MadeKey]
) -> None:
    shown = certify("-n", f"web2,{NAME}", "-z", "17", key=key, by=by)
    certificate = Certificate.parse(shown.blob)
    certificate.check(NAME)
    assert shown.key_type == certificate.plain_type + SUFFIX
    assert certificate.plain_blob == keys[key].public.blob
    assert certificate.authority == authorities[by].public.blob
    assert certificate.principals == ("web2", NAME)
    assert certificate.key_id == "the certificate"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("-n", NAME), [NAME, NAME.upper()]),
        (("-n", "*.example"), [NAME, "web2.example"]),
        (("-n", "web?.example"), [NAME]),
        ((), [NAME, "anything"]),
        (("-V", "always:forever"), [NAME]),
        (("-V", "-1h:+1h"), [NAME]),
    ],
    ids=["name", "star", "question mark", "for all", "for ever", "now"],
)
def test_a_certificate_is_good_for_its_names_and_its_time(
    options: tuple[str, ...], names: list[str], certify: Certify
) -> None:
    certificate = Certificate.parse(certify(*options).blob)
    for name in names:
        certificate.check(name)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-V", "20200101:20200102"), "expired on 2020-01-0"),
        (("-V", "20990101:20990102"), "not valid yet, before 20"),
        (("-n", "web2.example"), "is for web2.example, not for web1.example"),
        (("-n", "*.other"), r"is for \*.other, not for"),
        (("-n", "web[12].example"), "not for web1.example"),
        (("-O", "critical:only-on-sundays"), "critical options"),
    ],
    ids=["expired", "not yet", "other name", "other pattern", "no brackets", "critical option"],
)
def test_a_certificate_that_is_not_good_is_refused_with_the_reason(
    options: tuple[str, ...], reason: str, certify: Certify
) -> None:
    certificate = Certificate.parse(certify(*options).blob)
    with pytest.raises(HostKeyError, match=reason):
        certificate.check(NAME)


def test_a_users_certificate_is_no_hosts(certify: Certify) -> None:
    certificate = Certificate.parse(certify("-n", NAME, host=False).blob)
    with pytest.raises(HostKeyError, match="a user's, not a host's"):
        certificate.check(NAME)


def test_a_signature_with_sha1_is_not_accepted(certify: Certify) -> None:
    certificate = Certificate.parse(certify("-t", "ssh-rsa", by="rsa").blob)
    with pytest.raises(HostKeyError, match=r"wrong signature|not accepted"):
        certificate.check(NAME)


def test_a_certificate_that_is_cut_short_anywhere_is_refused(certify: Certify) -> None:
    blob = certify().blob
    for size in range(len(blob)):
        with pytest.raises(HostKeyError):
            Certificate.parse(blob[:size])


def test_a_certificate_with_a_byte_changed_is_refused(certify: Certify) -> None:
    """Wherever it was changed in what was signed; a change anywhere is no other error than ours."""
    blob = certify("-n", NAME).blob
    signed = Certificate.parse(blob).signed
    refused = []
    for at in range(len(blob)):
        changed = bytearray(blob)
        changed[at] ^= 0x41
        try:
            Certificate.parse(bytes(changed)).check(NAME)
        except HostKeyError:
            refused.append(at)
    assert refused[: len(signed)] == list(range(len(signed)))


@pytest.mark.parametrize("kind", ["ssh-dss", "sk-ssh-ed25519@openssh.com", "made-up"])
def test_a_certificate_of_an_unknown_kind_is_refused(kind: str) -> None:
    name = f"{kind}{SUFFIX}".encode()
    with pytest.raises(HostKeyError, match="of an unknown kind"):
        Certificate.parse(len(name).to_bytes(4, "big") + name + bytes(500))


# --- with what is known of the host --------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        ("@cert-authority * {authority}", None),
        ("@cert-authority *.example {authority}", None),
        ("@cert-authority *.other {authority}", "not known"),
        ("@cert-authority * {other}", "not known"),
        ("* {authority}", "CHANGED"),
        ("{name} {key}", None),
        ("@cert-authority * {authority}\n@revoked * {authority}", "authority's key .* is revoked"),
        ("@cert-authority * {authority}\n@revoked * {key}", "its key .* is revoked"),
        ("@revoked * {authority}\n{name} {key}", "is revoked"),
    ],
    ids=[
        "known authority",
        "authority for the domain",
        "authority for another domain",
        "another authority",
        "the authority as a plain key",
        "unknown authority, known key",
        "revoked authority",
        "revoked key",
        "revoked authority, known key",
    ],
)
def test_an_authority_vouches_for_the_hosts_that_its_line_is_about(
    lines: str,
    taken: str | None,
    certify: Certify,
    keys: dict[str, MadeKey],
    authorities: dict[str, MadeKey],
    tmp_path: Path,
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(
        lines.format(
            name=NAME,
            authority=authorities["ed25519"].words,
            other=authorities["ecdsa"].words,
            key=keys["ed25519"].words,
        )
    )
    host = Host(name=NAME, known_hosts=(str(known),), host_keys=HostKeyPolicy.STRICT)
    shown = certify("-n", NAME)
    if taken is None:
        check_host_key(host, shown)
    else:
        with pytest.raises(HostKeyError, match=taken):
            check_host_key(host, shown)


def test_a_certificate_is_never_written_to_known_hosts(certify: Certify, tmp_path: Path) -> None:
    """Under accept-new an unknown authority vouches for nothing: the plain key is what is added."""
    known = tmp_path / "known_hosts"
    shown = certify("-n", NAME)
    host = Host(name=NAME, known_hosts=(str(known),), host_keys=HostKeyPolicy.ACCEPT_NEW)
    check_host_key(host, shown)
    assert known.read_text().split()[:2] == [NAME, "ssh-ed25519"]
