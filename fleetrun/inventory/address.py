"""How a host is written where one word has to do: `[USER@]NAME[:PORT]`.

Used for inline lists, for the library's host names and for hosts in inventory files. An IPv6
address is never split: bare it has no port (`::1`), in brackets it may (`[::1]:2222`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from fleetrun.errors import InventoryError
from fleetrun.hosts import MAX_PORT, SHELL_CHARACTERS, check_word

_BRACKETED = re.compile(r"\[(?P<address>[^\]]*)\](?::(?P<port>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host in one word, taken apart; None where a part was not written."""

    name: str
    user: str | None = None
    port: int | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The user and port, where they were written, by the variables that they stand for."""
        written = {"ansible_user": self.user, "ansible_port": self.port}
        return {name: str(it) for name, it in written.items() if it is not None}


def parse_address(text: str) -> Address:
    """Take `[USER@]NAME[:PORT]` apart; raises `InventoryError`, without a place, if it is wrong."""
    user, at, rest = text.rpartition("@")
    if at:
        check_word("user", user)
    name, port = _name_and_port(rest, text)
    check_word("host name", name, forbidden=SHELL_CHARACTERS)
    return Address(
        name=name,
        user=user if at else None,
        port=None if port is None else parse_port(port),
    )


def parse_port(text: str) -> int:
    """Read a port strictly: decimal, 1 to 65535. `022`, `0x16` and `22:22` are `InventoryError`s.

    YAML 1.1 would read those as 18, 22 and 1342, none of which anybody means.
    """
    if re.fullmatch(r"[1-9][0-9]{0,4}", text) is None or int(text) > MAX_PORT:
        raise InventoryError(f"the port {text!r} is not a whole number from 1 to {MAX_PORT}")
    return int(text)


def is_ipv6(text: str) -> bool:
    """Whether the text is an IPv6 address, possibly with a zone (`fe80::1%eth0`)."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _name_and_port(rest: str, text: str) -> tuple[str, str | None]:
    bracketed = _BRACKETED.fullmatch(rest)
    if bracketed is not None and is_ipv6(bracketed["address"]):
        return bracketed["address"], bracketed["port"]
    if "[" in rest or "]" in rest:
        raise InventoryError(
            f"the host name {text!r} has brackets in it, which only an IPv6 address may have"
        )
    if rest.count(":") > 1:
        if is_ipv6(rest):
            return rest, None
        raise InventoryError(f"{text!r} is neither NAME:PORT nor an IPv6 address")
    name, colon, port = rest.partition(":")
    return name, port if colon else None
