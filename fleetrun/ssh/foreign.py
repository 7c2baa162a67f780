"""paramiko, imported cheaply, and its errors made ours: the one place where they meet.

Importing paramiko imports `invoke`, which it wants for `Match exec` alone and we never use: 0.1 of
its 0.24 s. A stand-in leaves the import to the first attribute that anybody asks of it. (The
standard library's LazyLoader does not help: the `import` statement itself asks for `__spec__`.)
"""

from __future__ import annotations

import importlib
import logging
import struct
import sys
import types

from fleetrun.errors import ConnectError, ConnectionLost, SessionError

log = logging.getLogger(__name__)


class _Later(types.ModuleType):
    """Stands in for a module until somebody asks an attribute of it."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


if "invoke" not in sys.modules:
    sys.modules["invoke"] = _Later("invoke")

logging.getLogger("paramiko").addHandler(logging.NullHandler())

import paramiko  # noqa: E402 (after the lines that make it cheap)
from cryptography.exceptions import InvalidSignature, InvalidTag  # noqa: E402
from paramiko import ssh_exception  # noqa: E402

INCOMPATIBLE = (ssh_exception.IncompatiblePeer,)
"""We share no algorithm or protocol version with the host."""

TAMPERED = (InvalidTag, InvalidSignature)
"""A packet was changed on its way; `cryptography` says so, and paramiko lets it through."""

BROKEN = (
    ssh_exception.SSHException,
    ssh_exception.MessageOrderError,
    ssh_exception.ChannelException,
    ssh_exception.PasswordRequiredException,
    ssh_exception.ProxyCommandFailure,
    ssh_exception.BadHostKeyException,
)
"""The host, or something on the way, broke the protocol."""

NONSENSE = (ValueError, LookupError, ArithmeticError, TypeError, struct.error)
"""What parsers raise at a message that is cut short, or holds numbers or text that cannot be."""

LOGIN_ANSWERS = (
    ssh_exception.AuthenticationException,
    ssh_exception.BadAuthenticationType,
    ssh_exception.PartialAuthentication,
    ssh_exception.UnableToAuthenticate,
)
"""Answers to a login request; `fleetrun.ssh.login` takes them before they get here."""

TAKEN_WHERE_THEY_ARISE = (paramiko.UnknownKeyType,)
"""Of a key of the user's, of the agent's or in a certificate, by the code that looks at it."""

NEVER_RAISED = (
    paramiko.AuthFailure,
    paramiko.SFTPError,
    ssh_exception.NoValidConnectionsError,
    ssh_exception.ConfigParseError,
    ssh_exception.CouldNotCanonicalize,
)
"""Raised by parts of paramiko that we do not use (its clients and its config reader)."""


def session_error(error: Exception) -> SessionError:
    """Return the error of ours that stands for one that came out of paramiko or the socket.

    An error that is ours already is returned as it is. Anything unknown is a bug and is raised.
    """
    if isinstance(error, SessionError):
        return error
    if isinstance(error, INCOMPATIBLE):
        return ConnectError(str(error))
    if isinstance(error, EOFError):
        return ConnectionLost("the host closed the connection")
    if isinstance(error, TAMPERED):
        return ConnectionLost("the SSH protocol was broken: a packet was changed on its way")
    if isinstance(error, BROKEN):
        return ConnectionLost(f"the SSH protocol was broken: {error}")
    if isinstance(error, NONSENSE):
        log.info("the host's message could not be read", exc_info=error)
        return ConnectionLost(f"it sent something that makes no sense: {error}")
    if isinstance(error, OSError):
        return ConnectionLost((error.strerror or str(error)).lower())
    raise error
