"""Proving to a host who we are: keys first, then a password. One attempt each, never a second."""

from __future__ import annotations

import re
from collections.abc import Callable

from fleetrun.errors import AuthError, ConnectionLost
from fleetrun.hosts import Host, Secret
from fleetrun.ssh.keys import login_keys
from fleetrun.ssh.legacy import with_sha1
from fleetrun.ssh.transport import Transport

from paramiko import PKey  # isort: skip (fleetrun.ssh.transport makes it cheap, and must come first)
from paramiko.ssh_exception import AuthenticationException, PartialAuthentication, SSHException

_CODE = re.compile(r"\b(pass)?code\b|\b(otp|token|pin)\b", re.IGNORECASE)
"""What is asked for beside a password, in the words of the usual PAM modules."""


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
        self._legacy = host.legacy_algorithms
        self._tried: list[str] = []
        self._taken: str | None = None
        self._tried_since: list[str] = []
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
        if self._legacy and "rsa" in key.get_name():
            # which signatures a host takes is known as soon as it has answered anything
            if self._methods is None and self._asks_for_nothing():
                return True
            key = with_sha1(key)
        return self._make(name, lambda: self._transport.auth_publickey(self._user, key))

    def with_password(self, password: Secret) -> bool:
        """Offer a password, the way that the host takes it; return whether we are in."""
        if self._methods is None and self._asks_for_nothing():
            return True
        text = password.reveal()
        if self.allowed("password"):
            return self._make("password", lambda: self._transport.auth_password(self._user, text))
        if self.allowed("keyboard-interactive"):
            answer = self._answer_once(text)
            return self._make(
                "keyboard-interactive",
                lambda: self._transport.auth_interactive(self._user, answer),
            )
        return False

    def _asks_for_nothing(self) -> bool:
        """Learn what the host takes, as ssh does; True when it lets us in with nothing at all."""
        try:
            self._transport.auth_none(self._user)
        except AuthenticationException:
            return False
        return True

    def _answer_once(self, text: str) -> Callable[[str, str, list[tuple[str, bool]]], list[str]]:
        """Return what answers a host that asks for the password, once, and ends all other talks."""
        given = False

        def answer(_title: str, _words: str, prompts: list[tuple[str, bool]]) -> list[str]:
            nonlocal given
            if not prompts:  # the host only says something
                return []
            if not _is_for_password(prompts):
                asked = ", ".join(repr(prompt) for prompt, _ in prompts)
                raise AuthError(f"it asks for {asked}, and a password is all that can be given")
            if given:
                raise AuthError(self.refusal())
            given = True
            return [text]

        return answer

    def _make(self, name: str, request: Callable[[], object]) -> bool:
        self._tried.append(name)
        self._tried_since.append(name)
        try:
            request()
        except PartialAuthentication:
            self._taken, self._tried_since = name, []
            return False
        except AuthenticationException:
            self.refused += 1
            return False
        except (SSHException, OSError, UnicodeError) as error:  # UnicodeError: of its extensions
            self._tried[-1] += f" (which could not sign: {error})"
            self._tried_since[-1] = self._tried[-1]
            return False
        return True

    def refusal(self) -> str:
        """Return one sentence: what was tried, what the host takes, what to do."""
        takes = f"; it takes {', '.join(self._methods)}" if self._methods else ""
        if not self._tried:
            return (
                f"there is nothing to log in as {self._user} with{takes}: "
                "give --private-key or -k, or load a key with ssh-add"
            )
        if self._taken is not None and self._tried_since:
            since = ", ".join(self._tried_since)
            return f"it took {self._taken}, and {since} was refused as second factor{takes}"
        if self._taken is not None:
            return f"it took {self._taken} and wants a second factor{takes}"
        old = self._transport.wants_legacy_signatures and not self._legacy
        hint = "; of an RSA key it takes SHA-1 alone: try --legacy-algorithms" if old else ""
        return f"{self._user} was refused with {', '.join(self._tried)}{takes}{hint}"


def _is_for_password(prompts: list[tuple[str, bool]]) -> bool:
    """Tell whether one hidden thing is asked for, and not the code of a second factor."""
    if len(prompts) != 1:
        return False
    ((prompt, shown),) = prompts
    return not shown and _CODE.search(prompt) is None
