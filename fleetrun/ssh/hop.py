"""A jump host as it is written: `bastion`, `ann@bastion:2222`, `ssh://ann@bastion:2222`."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from fleetrun.hosts import MAX_PORT

NO_HOP = "none"
_HOP = re.compile(
    r"(?:(?P<user>.+)@)?(?:\[(?P<bracketed>[^\]]+)\]|(?P<name>[^:@\[\]/]+))(?::(?P<port>\w*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One jump host; None for what was not written."""

    name: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{user}{name}" if self.port is None else f"{user}{name}:{self.port}"


def parse_chain(text: str) -> tuple[Hop, ...]:
    """Read jump hosts with commas between them, the one to be reached first standing first.

    `none` is no jump host. Raises `ValueError` with a sentence when one of them cannot be read.
    """
    if text.lower() == NO_HOP:
        return ()
    return tuple(map(_parse_hop, text.split(",")))


def _parse_hop(text: str) -> Hop:
    plain = text.removeprefix("ssh://").removesuffix("/") if text.startswith("ssh://") else text
    found = _HOP.fullmatch(plain)
    if found is None:
        raise ValueError(f"{text!r} is no jump host; write USER@NAME:PORT")
    name = found["bracketed"] or found["name"]
    port = parse_port(found["port"]) if found["port"] else None
    return Hop(name=name, user=found["user"], port=port)


def parse_port(text: str) -> int:
    """Read a port, a number or the name of a service; `ValueError` with a sentence when it is not.

    The names are those of the system, as for ssh: `ssh` is 22.
    """
    try:
        port = int(text) if text.isdecimal() else socket.getservbyname(text, "tcp")
    except OSError as error:
        raise ValueError(f"{text!r} is not a port") from error
    if not 1 <= port <= MAX_PORT:
        raise ValueError(f"port {text} is not between 1 and {MAX_PORT}")
    return port
