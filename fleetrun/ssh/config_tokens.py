"""What stands for something else in a value of ssh_config: `%h`, `${VAR}`, `~`. Third step."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class UnknownToken(ValueError):
    """A value has a token or a variable that stands for nothing; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the tokens stand for when one host is connected to.

    Attributes:
        original: the host as it was given (`%n`).
        address: what is connected to (`%h`).
        port: its port (`%p`).
        user: the login name (`%r`).
        local_user: who we are (`%u`).
        alias: the name for known_hosts (`%k`).
    """

    original: str
    address: str
    port: int
    user: str
    local_user: str
    alias: str

    def expand(self, text: str, allowed: str) -> str:
        """Replace the allowed tokens (letters, as `hnp`); `%%` is always a percent sign.

        Raises `UnknownToken` at any other.
        """
        if "%" not in text:
            return text
        return expand_tokens(text, allowed, self._stands_for)

    def _stands_for(self, letter: str) -> str:
        values = {
            "n": self.original,
            "h": self.address,
            "p": str(self.port),
            "r": self.user,
            "u": self.local_user,
            "k": self.alias,
        }
        if letter in values:
            return values[letter]
        own_name = socket.gethostname()
        match letter:
            case "d":
                return str(Path.home())
            case "i":
                return str(os.getuid()) if hasattr(os, "getuid") else ""
            case "l":
                return own_name
            case "L":
                return own_name.partition(".")[0]
            case _:  # C: what ssh names its shared connections after
                whole = f"{own_name}{self.address}{self.port}{self.user}"
                return hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest()


def expand_tokens(text: str, allowed: str, stands_for: Callable[[str], str]) -> str:
    """Replace each allowed `%x` by what x stands for, and `%%` by a percent sign.

    Raises `UnknownToken` at any other.
    """

    def replace(found: re.Match[str]) -> str:
        letter = found[1]
        if letter == "%":
            return "%"
        if not letter or letter not in allowed:
            known = ", ".join(f"%{each}" for each in allowed)
            raise UnknownToken(f"%{letter} stands for nothing here; these do: %%, {known}")
        return stands_for(letter)

    return _TOKEN.sub(replace, text)


def expand_variables(text: str) -> str:
    """Replace each `${NAME}` by that variable of the environment, or raise `UnknownToken`."""

    def replace(found: re.Match[str]) -> str:
        value = os.environ.get(found[1])
        if value is None:
            raise UnknownToken(f"the environment has no variable {found[1]}")
        return value

    return _VARIABLE.sub(replace, text)


def expand_home(text: str) -> str:
    """Replace `~` or `~user` at the beginning by that home folder, if there is such a user."""
    return os.path.expanduser(text)  # noqa: PTH111 (Path raises where there is no such user)
