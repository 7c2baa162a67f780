"""What a host is: frozen, picklable data with every default applied. Layer 1 of the road.

An inventory makes `Host`s; nothing further down the road fills in a missing value.
"""

from __future__ import annotations

import enum
import functools
import getpass
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fleetrun.errors import InventoryError

DEFAULT_PORT = 22
USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
DEFAULT_KNOWN_HOSTS = (*USER_KNOWN_HOSTS, *GLOBAL_KNOWN_HOSTS)
"""Where ssh(1) looks by default: UserKnownHostsFile, then GlobalKnownHostsFile (ssh_config(5))."""

DEFAULT_IDENTITY_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
"""The private keys that are tried when none is named, of the kinds that can be used here."""

AGENT_OF_ENVIRONMENT = "SSH_AUTH_SOCK"
"""In the place of an agent's socket: the one that this variable of the environment names."""

DEFAULT_CONNECT_TIMEOUT_S = 10.0
DEFAULT_LOGIN_TIMEOUT_S = 30.0
DEFAULT_ALIVE_INTERVAL_S = 15.0
DEFAULT_ALIVE_COUNT = 3
MAX_NAME_LENGTH = 255
"""RFC 1035, section 2.3.4: a domain name has at most 255 octets."""

MAX_PORT = 65535
SHELL_CHARACTERS = ";&|<>`$\\'\"!*?#,(){}"
"""What a shell or a known_hosts file gives a meaning: not in a host's name or address."""

_PLAIN_WORD = re.compile(rf"[A-Za-z0-9_.][A-Za-z0-9_.:-]{{0,{MAX_NAME_LENGTH - 1}}}")


class HostKeyPolicy(enum.StrEnum):
    """What to do with a host key that known_hosts does not vouch for."""

    STRICT = "strict"
    """Refuse an unknown key and a changed one."""
    ACCEPT_NEW = "accept-new"
    """Write an unknown key to the first known_hosts file; refuse a changed one."""
    OFF = "off"
    """Look at nothing. Anyone between here and the host can read and change everything."""


class KeysFrom(enum.StrEnum):
    """Whose files log in where worker processes are on other machines than the operator."""

    WORKER = "worker"
    """Keys, the agent, known_hosts and ssh_config of the account that the worker runs under."""
    OPERATOR = "operator"
    """Those of whoever started the run: sent to the workers, and never written there."""


class Secret:
    """A password or passphrase that prints as `***`, also in reprs, logs and tracebacks.

    Picklable, so that it reaches worker processes; compares by value. `reveal()` is the only way
    to the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (self._text,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host, ready to be connected to. Immutable; safe to share between threads; picklable.

    Attributes:
        name: what the user calls it, unique within a fleet; the prefix of its output.
        address: host name or IP address that is dialled; the name when it was not given.
        port: 1 to 65535.
        user: the login name; that of the calling user when it was not given.
        password: for password login; None means that none is offered.
        private_key: file of the one key to log in with; None means the agent and `identity_files`.
        key_passphrase: what opens that file; None when it is not encrypted.
        identity_files: files of keys that are offered, in order, when `private_key` is None; keys
            that the agent has too are asked of it. Those that are missing are left out.
        identities_only: whether only those are offered, and no other key of the agent.
        identity_agent: socket of the agent; `SSH_AUTH_SOCK` means the one that this variable of
            the environment names, `$NAME` likewise, None means no agent.
        certificate_files: certificates to offer with the keys that they certify, beside those that
            are found next to the keys (`id_ed25519-cert.pub`).
        known_hosts: files that vouch for host keys, in order; `~` is expanded when they are read.
        host_keys: what to do with a key that they do not vouch for.
        host_key_alias: the name to look for in them; None means the address (and port).
        connect_timeout_s: seconds for resolve, connect, banner and key exchange together.
        login_timeout_s: seconds for authentication and the opening of a channel together.
        command_timeout_s: seconds for a command or transfer; None means no limit.
        alive_interval_s: seconds of silence after which it is asked for a sign of life; 0.0 means
            that it never is, so that a dead one is noticed by its timeouts alone.
        alive_count: how many such questions may go unanswered before it is given up.
        become_user: the user to run commands as, through sudo; None means the login user. Files
            are copied as the login user in any case.
        become_password: what sudo is told when it asks; None means that it must not ask.
        legacy_algorithms: whether CBC, 3DES, MD5 and SHA-1 are offered too, for old devices.
        jump: the chain of jump hosts as written (`bastion`, `ann@b1:2222,b2`); None for none.
        proxy_command: the program whose input and output are the connection, from ssh_config
            alone; None for none. Not together with `jump`.
        ssh_config: the file that the jump hosts are looked up in, instead of the user's and the
            system's; `none` means none; None means those two.
        groups: names of the groups it is in, outermost first.
        vars: its other inventory variables, as they were written.
        sources: where each value came from (`hosts.yaml:12`, `--user`, `default`), by field name.

    Raises `InventoryError` when a value cannot be used; the message has no place in it, which the
    inventory loader adds.
    """

    name: str
    address: str = ""
    port: int = DEFAULT_PORT
    user: str = ""
    password: Secret | None = None
    private_key: str | None = None
    identity_files: tuple[str, ...] = DEFAULT_IDENTITY_FILES
    identities_only: bool = False
    identity_agent: str | None = AGENT_OF_ENVIRONMENT
    certificate_files: tuple[str, ...] = ()
    key_passphrase: Secret | None = None
    known_hosts: tuple[str, ...] = DEFAULT_KNOWN_HOSTS
    host_keys: HostKeyPolicy = HostKeyPolicy.STRICT
    host_key_alias: str | None = None
    connect_timeout_s: float = DEFAULT_CONNECT_TIMEOUT_S
    login_timeout_s: float = DEFAULT_LOGIN_TIMEOUT_S
    command_timeout_s: float | None = None
    alive_interval_s: float = DEFAULT_ALIVE_INTERVAL_S
    alive_count: int = DEFAULT_ALIVE_COUNT
    become_user: str | None = None
    become_password: Secret | None = None
    legacy_algorithms: bool = False
    jump: str | None = None
    proxy_command: str | None = None
    ssh_config: str | None = None
    groups: tuple[str, ...] = ()
    vars: Mapping[str, object] = field(default_factory=dict, hash=False)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_word("host name", self.name, forbidden=SHELL_CHARACTERS)
        if self.name in {".", ".."}:  # `get` makes a folder of each name
            raise InventoryError(f"the host name {self.name!r} means a folder")
        if not self.address:
            object.__setattr__(self, "address", self.name)
        check_word("address", self.address, forbidden=SHELL_CHARACTERS)
        if not 1 <= self.port <= MAX_PORT:
            raise InventoryError(
                f"host {self.name!r}: port {self.port} is not between 1 and {MAX_PORT}"
            )
        if not self.user:
            object.__setattr__(self, "user", current_user())
        check_word("user", self.user)
        if self.become_user is not None:
            check_word("user to become", self.become_user)
        if self.jump is not None:
            check_word("chain of jump hosts", self.jump)
        self._check_seconds()
        if self.jump is not None and self.proxy_command is not None:
            raise InventoryError(
                f"host {self.name!r}: it has jump hosts and a ProxyCommand; one of them is enough"
            )

    def _check_seconds(self) -> None:
        for what in ("connect_timeout_s", "login_timeout_s", "command_timeout_s"):
            seconds = getattr(self, what)
            if seconds is not None and not 0 < seconds < float("inf"):
                raise InventoryError(
                    f"host {self.name!r}: {what} must be a positive number of seconds"
                )
        if not 0 <= self.alive_interval_s < float("inf") or self.alive_count < 1:
            raise InventoryError(
                f"host {self.name!r}: alive_interval_s must be 0 or more, and alive_count 1 or more"
            )

    @property
    def key_files(self) -> tuple[Path, ...]:
        """The known_hosts files with `~` expanded, in order; they need not exist."""
        return tuple(Path(path).expanduser() for path in self.known_hosts)


@functools.cache
def current_user() -> str:
    """Return the login name of the calling user; raises `InventoryError` when it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:  # 3.13 raises OSError alone
        raise InventoryError("this account has no login name; give one with --user") from error


def check_word(what: str, text: str, *, forbidden: str = "") -> None:
    """Raise `InventoryError` unless text can be used as a name.

    Refused are: nothing, more than 255 characters, a leading `-` (it would read as an option),
    white space, control and format characters (a terminal would obey them), and any of the
    forbidden ones.
    """
    if _PLAIN_WORD.fullmatch(text):  # nearly every name there is; the rest takes 20 times as long
        return
    if not text:
        raise InventoryError(f"the {what} is empty")
    if len(text) > MAX_NAME_LENGTH:
        raise InventoryError(
            f"the {what} {text[:40]!r}… has {len(text)} characters; {MAX_NAME_LENGTH} are allowed"
        )
    if text.startswith("-"):
        raise InventoryError(f"the {what} {text!r} begins with '-', as an option does")
    for char in text:
        if char in forbidden or unicodedata.category(char)[0] in "CZ":
            raise InventoryError(f"the {what} {text!r} has {char!r} in it, which is not allowed")
