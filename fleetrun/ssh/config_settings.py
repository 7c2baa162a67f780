"""From what ssh_config says of a host to the fields of `Host`. Last step of the reader.

command line > inventory > ssh_config > defaults
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fleetrun.errors import InventoryError, UsageError
from fleetrun.hosts import (
    AGENT_OF_ENVIRONMENT,
    DEFAULT_PORT,
    GLOBAL_KNOWN_HOSTS,
    USER_KNOWN_HOSTS,
    Host,
    HostKeyPolicy,
    current_user,
)
from fleetrun.ssh.config import ConfigValue, HostConfig, SshConfig
from fleetrun.ssh.config_options import NONE
from fleetrun.ssh.config_tokens import Tokens, UnknownToken, expand_home, expand_variables

_DEFAULT = "default"
"""What `Host.sources` says of a field that nobody set."""

_FILE_TOKENS = "CdhikLlnpru"
_PROXY_TOKENS = "hnpr"

_POLICIES = {
    "yes": HostKeyPolicy.STRICT,
    "ask": HostKeyPolicy.STRICT,  # there is nobody to ask
    "accept-new": HostKeyPolicy.ACCEPT_NEW,
    "no": HostKeyPolicy.OFF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSetting:
    """What a field of `Host` is set to, and the `file:line` that sets it."""

    value: object
    place: str


def settings_of(
    found: HostConfig, *, user: str | None = None, port: int | None = None
) -> dict[str, ConfigSetting]:
    """Return what the files say, by the field of `Host` that it sets.

    Args:
        found: what was looked up.
        user: the login name that beats the files; the tokens stand for it.
        port: likewise for the port.

    Raises `UsageError` with the place when a value cannot be used.
    """
    return dict(_Reading(found, user, port).settings()) if found.values else {}


def with_ssh_config(values: Mapping[str, Any], sources: Mapping[str, str]) -> Host:
    """Make a host of values by field, and of what ssh_config says where nothing nearer did.

    It is looked up by its address, which is what ssh would be given; `HostName` then takes the
    place of that. What a field came from is told by the sources: those from `default` give way.
    Raises `InventoryError` when a value cannot be used, `UsageError` with the place when it is one
    of ssh_config's.
    """
    address = values.get("address") or values["name"]
    user = values.get("user") if _is_given(sources, "user") else None
    port = values.get("port") if _is_given(sources, "port") else None
    found = SshConfig.load(values.get("ssh_config")).look_up(address, user=user, port=port)
    if not found.values:
        return Host(sources=sources, **values)
    settings = {
        name: setting
        for name, setting in settings_of(found, user=user, port=port).items()
        if name == "address" or not _is_given(sources, name)
    }
    if _is_given(sources, "jump"):
        settings.pop("proxy_command", None)
    return _made_of(values, sources, settings)


def _is_given(sources: Mapping[str, str], field: str) -> bool:
    return sources.get(field, _DEFAULT) != _DEFAULT


def _made_of(
    values: Mapping[str, Any], sources: Mapping[str, str], settings: Mapping[str, ConfigSetting]
) -> Host:
    if not settings:
        return Host(sources=sources, **values)
    places = _places(tuple((name, setting.place) for name, setting in settings.items()))
    theirs = {name: setting.value for name, setting in settings.items()}
    try:
        return Host(**{**values, **theirs}, sources=_NearestFirst(places, sources))
    except InventoryError as error:
        Host(**values)  # which raises if it is not ssh_config's fault
        named = ", ".join(sorted(set(places.values())))
        raise UsageError(f"host {values['name']!r}, as {named} have it: {error}") from error


@functools.lru_cache(maxsize=4096)
def _places(found: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Return the places by field, one object for all hosts of which ssh_config says the same."""
    return dict(found)


class _NearestFirst(Mapping[str, str]):
    """Sources of which the first ones count. Immutable; a dictionary in another process."""

    __slots__ = ("_first", "_second")

    def __init__(self, first: Mapping[str, str], second: Mapping[str, str]) -> None:
        self._first = first
        self._second = second

    def __getitem__(self, field: str) -> str:
        place = self._first.get(field)
        return self._second[field] if place is None else place

    def __iter__(self) -> Iterator[str]:
        yield from self._second
        yield from (field for field in self._first if field not in self._second)

    def __len__(self) -> int:
        return len(self._second.keys() | self._first.keys())

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[str, str]], tuple[dict[str, str]]]:
        return dict, (dict(self),)


class _Reading:
    """One host's values on their way to fields."""

    def __init__(self, found: HostConfig, user: str | None, port: int | None) -> None:
        self._found = found
        self._tokens = Tokens(
            original=found.name,
            address=found.address,
            port=port or int(_text(found.value("port")) or DEFAULT_PORT),
            user=user or _text(found.value("user")) or current_user(),
            local_user=current_user(),
            alias=_text(found.value("hostkeyalias")) or found.name,
        )

    @property
    def address(self) -> str:
        """What is connected to."""
        return self._found.address

    def settings(self) -> Iterator[tuple[str, ConfigSetting]]:
        """Yield the fields that the files set."""
        for keyword, (value, *_) in self._found.values.items():
            if keyword in _FIELDS:
                name, read = _FIELDS[keyword]
                made = read(self, value)
                if made is not _NOT_SET:
                    yield name, ConfigSetting(value=made, place=value.place)
        yield from self._known_hosts()

    def _known_hosts(self) -> Iterator[tuple[str, ConfigSetting]]:
        """Put the user's files before the system's, as ssh looks at them."""
        users, systems = map(self._found.value, ("userknownhostsfile", "globalknownhostsfile"))
        first = users or systems
        if first is None:
            return
        of_user = USER_KNOWN_HOSTS if users is None else self._files(users)
        of_system = GLOBAL_KNOWN_HOSTS if systems is None else _without_none(systems)
        yield "known_hosts", ConfigSetting(value=(*of_user, *of_system), place=first.place)

    def _files(self, value: ConfigValue) -> tuple[str, ...]:
        return tuple(self.file(value, word) for word in _without_none(value))

    def file(self, value: ConfigValue, word: str) -> str:
        """Expand a file's name."""
        with_tokens = self.expand(value, expand_home(word), _FILE_TOKENS)
        try:
            return expand_variables(with_tokens)
        except UnknownToken as error:
            raise value.error(str(error)) from error

    def expand(self, value: ConfigValue, word: str, allowed: str) -> str:
        """Expand the tokens of one word."""
        try:
            return self._tokens.expand(word, allowed)
        except UnknownToken as error:
            raise value.error(str(error)) from error

    def all_files(self, keyword: str) -> tuple[str, ...]:
        """Expand the files that several lines name, in order."""
        return tuple(file for value in self._found.values[keyword] for file in self._files(value))

    def agent(self, value: ConfigValue) -> object:
        """Read where the agent is: a path, a variable that holds it (`$NAME`), or nowhere."""
        word = value.words[0]
        if word == NONE:
            return None
        if word == AGENT_OF_ENVIRONMENT or (word.startswith("$") and not word.startswith("${")):
            return word
        return self.file(value, word)

    def jump(self, value: ConfigValue) -> object:
        """Read a chain of jump hosts; None for none."""
        if value.words[0] == NONE:
            return _NOT_SET
        return self.expand(value, value.words[0], _PROXY_TOKENS)

    def proxy_command(self, value: ConfigValue) -> object:
        """Read a command to reach the host with; None for none."""
        if value.text.lower() == NONE:
            return _NOT_SET
        return self.expand(value, value.text, _PROXY_TOKENS)


class _NotSet:
    """A value that says nothing: what was the default stays."""


_NOT_SET = _NotSet()


def _timeout(_: _Reading, value: ConfigValue) -> object:
    """Read seconds; 0 leaves the default, since without a limit a dead host holds us up."""
    return float(value.words[0]) or _NOT_SET


_FIELDS: dict[str, tuple[str, Callable[[_Reading, ConfigValue], object]]] = {
    "hostname": ("address", lambda reading, _: reading.address),
    "user": ("user", lambda _, value: value.words[0]),
    "port": ("port", lambda _, value: int(value.words[0])),
    "identityfile": ("identity_files", lambda reading, _: reading.all_files("identityfile")),
    "certificatefile": (
        "certificate_files",
        lambda reading, _: reading.all_files("certificatefile"),
    ),
    "identitiesonly": ("identities_only", lambda _, value: value.words[0] == "yes"),
    "identityagent": ("identity_agent", _Reading.agent),
    "hostkeyalias": ("host_key_alias", lambda _, value: value.words[0]),
    "stricthostkeychecking": ("host_keys", lambda _, value: _POLICIES[value.words[0]]),
    "serveraliveinterval": ("alive_interval_s", lambda _, value: float(value.words[0])),
    "serveralivecountmax": ("alive_count", lambda _, value: max(1, int(value.words[0]))),
    "connecttimeout": ("connect_timeout_s", _timeout),
    "proxyjump": ("jump", _Reading.jump),
    "proxycommand": ("proxy_command", _Reading.proxy_command),
}
"""By keyword: the field of `Host` that it sets, and how; `known_hosts` comes of two keywords."""


def _text(value: ConfigValue | None) -> str:
    return "" if value is None else value.words[0]


def _without_none(value: ConfigValue) -> tuple[str, ...]:
    return () if value.words == (NONE,) else value.words
