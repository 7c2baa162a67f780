"""Host keys, authorities and certificates, made by ssh-keygen, for tests of what is known."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fleetrun.ssh.known_hosts import HostKey

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeKey:
    """A key pair on disk: the private file, and the public key as it goes over the wire."""

    path: Path
    public: HostKey

    @property
    def words(self) -> str:
        """Type and base64, as known_hosts has them."""
        return f"{self.public.key_type} {base64.b64encode(self.public.blob).decode()}"


def make_host_key(path: Path, kind: str = "ed25519", *options: str) -> MadeKey:
    """Make a key pair without a passphrase at the path."""
    keygen("-q", "-t", kind, *options, "-N", "", "-C", "made", "-f", str(path))
    return MadeKey(path=path, public=read_public(path.with_name(f"{path.name}.pub")))


def sign(authority: MadeKey, key: MadeKey, *options: str, host: bool = True) -> HostKey:
    """Let the authority certify the key, and return the certificate; with options of ssh-keygen."""
    kind = ("-h",) if host else ()
    public = f"{key.path}.pub"
    keygen("-q", "-s", str(authority.path), "-I", "the certificate", *kind, *options, public)
    return read_public(key.path.with_name(f"{key.path.name}-cert.pub"))


def read_public(path: Path) -> HostKey:
    """Read a .pub file."""
    key_type, text = path.read_text().split()[:2]
    return HostKey(key_type=key_type, blob=base64.b64decode(text))


def keygen(*words: str) -> str:
    """Run ssh-keygen and return what it prints; a status of 1 is what -F says for not found."""
    ran = subprocess.run(
        ["ssh-keygen", *words],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_PATIENCE_S,
    )
    assert ran.returncode == 0 or "-F" in words, ran.stderr.decode()
    return ran.stdout.decode("latin-1")
