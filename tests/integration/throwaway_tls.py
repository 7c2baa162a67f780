"""An authority that nobody else trusts, and a certificate of it for both ends of a test's TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LASTS = dt.timedelta(days=1)
_PAST = dt.timedelta(hours=1)
"""Clocks that are a little apart must not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Files in PEM format: the authority, a certificate for this machine's loopback, its key."""

    ca: Path
    certificate: Path
    key: Path


def make_tls_files(folder: Path) -> TlsFiles:
    """Write a new authority and one certificate into the folder, which must exist.

    The certificate is good for 127.0.0.1, ::1 and localhost; the key is its owner's alone. What
    one call makes does not trust what another one makes.
    """
    files = TlsFiles(ca=folder / "ca.pem", certificate=folder / "cert.pem", key=folder / "key.pem")
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = _ca(ca_key)
    files.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    certificate = _certificate(key.public_key(), ca.subject, ca_key)
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def _ca(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name(f"authority {secrets.token_hex(8)}")
    can_sign = x509.BasicConstraints(ca=True, path_length=0)
    return (
        _begin(name, name, key.public_key())
        .add_extension(can_sign, critical=True)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePublicKey, issuer: x509.Name, ca_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
    )
    unsigned = _begin(_name("localhost"), issuer, key).add_extension(names, critical=False)
    return unsigned.sign(ca_key, hashes.SHA256())


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _PAST)
        .not_valid_after(now + _LASTS)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
