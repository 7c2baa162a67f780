"""The options of ssh_config that fleetrun acts on, and how each is read. Fifth step of the reader.

All others are kept as they are written, so that `fleetrun explain` can show them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from fleetrun.ssh.config_lines import Line
from fleetrun.ssh.hop import parse_chain, parse_port

NONE = "none"
_TIME = re.compile(r"(?:[0-9]{1,10}[smhdw])*(?:[0-9]{1,10})?", re.IGNORECASE | re.ASCII)
_TIME_PART = re.compile(r"([0-9]+)([smhdw]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MAX_SECONDS = 2**31 - 1
"""The longest time that ssh takes."""

_SWITCH = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_STRICT = {**_SWITCH, "off": "no", "ask": "ask", "accept-new": "accept-new"}
_MAX_FILES = 32
"""How many known_hosts files ssh takes."""


def _one_word(line: Line) -> tuple[str, ...]:
    return (line.word(),)


def _words(line: Line) -> tuple[str, ...]:
    if not all(line.words):
        raise line.error(f"{line.keyword} has an empty value")
    if len(line.words) > _MAX_FILES:
        raise line.error(f"{line.keyword} takes at most {_MAX_FILES} values")
    if NONE not in map(str.lower, line.words):
        return line.words
    if len(line.words) > 1:
        raise line.error(f"{line.keyword} takes {NONE} alone")
    return (NONE,)


def _port(line: Line) -> tuple[str, ...]:
    try:
        return (str(parse_port(line.word())),)
    except ValueError as error:
        raise line.error(str(error)) from error


def _count(line: Line) -> tuple[str, ...]:
    text = line.word()
    if re.fullmatch(r"\d{1,9}", text) is None:
        raise line.error(f"{text!r} is not a whole number")
    return (str(int(text)),)


def _seconds(line: Line) -> tuple[str, ...]:
    """Read a time such as `90`, `1m30` or `2h` into seconds; `none` is as if it were not there."""
    text = line.word()
    if text == NONE:
        return ()
    if _TIME.fullmatch(text) is None:
        raise line.error(f"{text!r} is not a time such as 90, 1m30s or 2h")
    parts = _TIME_PART.findall(text.lower())
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _MAX_SECONDS:
        raise line.error(f"{text!r} is more than {_MAX_SECONDS} seconds")
    return (str(seconds),)


def _choice(line: Line, choices: dict[str, str]) -> tuple[str, ...]:
    text = line.word().lower()
    if text not in choices:
        raise line.error(f"{line.keyword} {text!r} is not one of {', '.join(choices)}")
    return (choices[text],)


def _switch(line: Line) -> tuple[str, ...]:
    return _choice(line, _SWITCH)


def _strict(line: Line) -> tuple[str, ...]:
    return _choice(line, _STRICT)


def _jump(line: Line) -> tuple[str, ...]:
    chain = line.words[0]  # ssh takes the first word, and leaves any other
    try:
        parse_chain(chain)
    except ValueError as error:
        raise line.error(f"ProxyJump: {error}") from error
    return (NONE,) if chain.lower() == NONE else (chain,)


def _raw(line: Line) -> tuple[str, ...]:
    return (line.rest,)


READ: dict[str, Callable[[Line], tuple[str, ...]]] = {
    "hostname": _one_word,
    "user": _one_word,
    "port": _port,
    "identityfile": _one_word,
    "identitiesonly": _switch,
    "identityagent": _one_word,
    "certificatefile": _one_word,
    "hostkeyalias": _one_word,
    "stricthostkeychecking": _strict,
    "userknownhostsfile": _words,
    "globalknownhostsfile": _words,
    "serveraliveinterval": _seconds,
    "serveralivecountmax": _count,
    "connecttimeout": _seconds,
    "proxyjump": _jump,
    "proxycommand": _raw,
}
"""By keyword in lower case: the words of a line as they are kept; none when the line has no effect.

Each raises `UsageError` with the place when the line is wrong.
"""

COLLECTED = frozenset({"identityfile", "certificatefile"})
"""Options whose values add up; of all others the first counts."""

EXCLUDES = {"proxyjump": "proxycommand", "proxycommand": "proxyjump"}
"""Options that have no effect once another one was given."""
