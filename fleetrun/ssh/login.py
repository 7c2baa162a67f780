"""Proving to a host who we are: keys first, then a password. One attempt each, never a second."""

from __future__ import annotations

from collections.abc import Callable

from fleetrun.errors import AuthError, ConnectionLost
from fleetrun.hosts import Host, Secret
from fleetrun.ssh.keys import login_keys
from fleetrun.ssh.transport import Transport

from paramiko import PKey  # isort: skip (fleetrun.ssh.transport makes it cheap, and must come first)
from paramiko.ssh_exception import AuthenticationException, PartialAuthentication, SSHException


def log_in(transport: Transport, host: Host) -> None:
    """Log in to the host, or raise `AuthError` with what was tried and what it would take."""
    attempts = _Attempts(transport, host)
    own = login_keys(host)
    try:
        for key in own.keys:
            if attempts.allowed("publickey") and attempts.with_key(key):
                return
        if host.password is not None and attempts.with_password(host.password):
            return
    except ConnectionLost as error:
        if attempts.refused:  # it hung up on us, with a reason of its own or without
            raise AuthError(f"{attempts.refusal()}; then {error}{own.hint}") from error
        raise
    raise AuthError(attempts.refusal() + own.hint)


class _Attempts:
    """The login requests made of one host, and what it answered."""

    def __init__(self, transport: Transport, host: Host) -> None:
        self._transport = transport
        self._user = host.user
        self._tried: list[str] = []
        self._half_way = False
        self.refused = 0

    @property
    def _methods(self) -> list[str] | None:
        handler = self._transport.auth_handler
        return None if handler is None else handler.allowed

    def allowed(self, method: str) -> bool:
        """Whether the host has not ruled the method out."""
        return self._methods is None or method in self._methods

    def with_key(self, key: PKey) -> bool:
        """Offer a key; return whether we are in."""
        name = f"key {key.get_name()} {key.fingerprint}"
        return self._make(name, lambda: self._transport.auth_publickey(self._user, key))

    def with_password(self, password: Secret) -> bool:
        """Offer a password, the way that the host takes it; return whether we are in."""
        text = password.reveal()
        if self.allowed("password"):
            return self._make("password", lambda: self._transport.auth_password(self._user, text))
        if self.allowed("keyboard-interactive"):
            return self._make(
                "keyboard-interactive",
                lambda: self._transport.auth_interactive(
                    self._user, lambda _title, _text, prompts: [text] * len(prompts)
                ),
            )
        return False

    def _make(self, name: str, request: Callable[[], object]) -> bool:
        self._tried.append(name)
        try:
            request()
        except PartialAuthentication:
            self._half_way = True
            return False
        except AuthenticationException:
            self.refused += 1
            return False
        except (SSHException, OSError) as error:  # what the host does comes as a SessionError
            self._tried[-1] += f" (which could not sign: {error})"
            return False
        return True

    def refusal(self) -> str:
        """Return one sentence: what was tried, what the host takes, what to do."""
        takes = f"; it takes {', '.join(self._methods)}" if self._methods else ""
        if not self._tried:
            return (
                f"there is no key and no password to log in as {self._user} with: "
                "give --private-key, or load a key with ssh-add"
            )
        if self._half_way:
            return f"it took {self._tried[0]} and wants a second factor{takes}"
        return f"{self._user} was refused with {', '.join(self._tried)}{takes}"
