"""The caller's own keys: read once a process, before they are needed, and used by every session."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from pathlib import Path

from fleetrun.errors import AuthError
from fleetrun.ssh import foreign  # noqa: F401 (makes paramiko cheap; must come first)

from paramiko import PKey  # isort: skip
from paramiko.agent import Agent
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import PasswordRequiredException, SSHException

_USUAL_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
MAX_AGENT_OFFERS = 5
"""sshd ends a connection after six failures (MaxAuthTries); one is left for a password."""

_lock = threading.Lock()


def login_keys(private_key: str | None) -> list[PKey]:
    """Return the keys to offer, best first: the given one alone, or the agent's and the usual.

    Raises `AuthError` when the given one cannot be used.
    """
    with _lock:  # the first session reads, the others wait and share
        if private_key is not None:
            return [read_key(private_key)]
        return _own_keys()


@functools.lru_cache(maxsize=256)
def read_key(path: str) -> PKey:
    """Read a private key file; raises `AuthError` with what is wrong with it."""
    file = Path(path).expanduser()
    if file.suffix == ".pub":
        raise AuthError(f"{path}: is a public key; give the private one, without .pub")
    try:
        file.stat()
        return PKey.from_path(str(file))
    except IsADirectoryError as error:
        raise AuthError(f"{path}: is a folder, not a key") from error
    except OSError as error:
        raise AuthError(
            f"{path}: the key cannot be read: {(error.strerror or '').lower()}"
        ) from error
    except (PasswordRequiredException, TypeError) as error:
        raise AuthError(f"{path}: the key is encrypted; load it with ssh-add") from error
    except (SSHException, UnknownKeyType, ValueError) as error:
        raise AuthError(f"{path}: is not a private key that can be used: {error}") from error


@functools.cache
def _own_keys() -> list[PKey]:
    keys: list[PKey] = []
    if os.environ.get("SSH_AUTH_SOCK"):
        # an agent that cannot be spoken to has no keys
        with contextlib.suppress(SSHException, OSError, ValueError, EOFError):
            keys += Agent().get_keys()[:MAX_AGENT_OFFERS]
    for name in _USUAL_FILES:
        if Path(name).expanduser().is_file():
            try:
                keys.append(read_key(name))
            except AuthError:
                continue  # nobody asked for this one
    return keys
