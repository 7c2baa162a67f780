"""The jump hosts on the way to a host, each looked up in ssh_config for itself.

As for ssh, a jump host gets nothing from the host behind it: neither user nor key nor policy. Only
the files that vouch for host keys are the same, where ssh_config names no others, and so is the
time that connecting may take.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from fleetrun.errors import ConnectError, UsageError
from fleetrun.hosts import Host
from fleetrun.ssh.belongings import Chain, chain_to, sent_belongings
from fleetrun.ssh.config import SshConfig
from fleetrun.ssh.config_settings import settings_of
from fleetrun.ssh.hop import Hop, parse_chain

MAX_HOPS = 16
"""More than that lead in a circle."""


def hops_to(host: Host) -> tuple[Host, ...]:
    """Return all jump hosts on the way to a host, in the order in which they are passed.

    Raises `ConnectError` when one cannot be looked up, or when they lead in a circle.
    """
    hops: list[Host] = []
    behind = host
    while (hop := last_hop(behind)) is not None:
        hops.append(hop)
        if len(hops) > MAX_HOPS:
            circle = " behind ".join(each.name for each in hops[:3])
            raise ConnectError(
                f"the jump hosts lead in a circle: {circle} and so on; "
                "give the first of them ProxyJump none in ssh_config"
            )
        behind = hop
    return tuple(reversed(hops))


def last_hop(host: Host) -> Host | None:
    """Return the jump host that leads to the host itself; None when it is connected to directly.

    Its own `jump` is the rest of the chain, or, when it was the only one, what ssh_config says.
    Raises `ConnectError` when it cannot be looked up.
    """
    chain = chain_to(host)
    if chain is None:
        return None
    hop = look_up_hop(chain)
    return dataclasses.replace(
        hop, connect_timeout_s=host.connect_timeout_s, login_timeout_s=host.login_timeout_s
    )


def look_up_hop(chain: Chain) -> Host:
    """Return the jump host that a chain leads to, as ssh_config has it, here or where it was sent.

    The time that connecting to it may take is not set. Raises `ConnectError` as `last_hop` does.
    """
    sent = sent_belongings()
    return _look_up(*chain) if sent is None else sent.hop(chain)


@functools.lru_cache(maxsize=1024)
def _look_up(chain: str, ssh_config: str | None, known_hosts: tuple[str, ...]) -> Host:
    try:
        *before, hop = parse_chain(chain)
        return _host_of(hop, tuple(before), ssh_config, known_hosts)
    except (ValueError, UsageError) as error:
        raise ConnectError(f"the jump hosts {chain!r} cannot be used: {error}") from error


def _host_of(
    hop: Hop, before: tuple[Hop, ...], ssh_config: str | None, known_hosts: tuple[str, ...]
) -> Host:
    found = SshConfig.load(ssh_config).look_up(hop.name, user=hop.user, port=hop.port)
    settings = settings_of(found, user=hop.user, port=hop.port)
    written: dict[str, Any] = {
        "user": hop.user,
        "port": hop.port,
        "jump": ",".join(map(str, before)) or None,
    }
    given = {name: value for name, value in written.items() if value is not None}
    values: dict[str, Any] = {"known_hosts": known_hosts}
    values |= {name: setting.value for name, setting in settings.items()} | given
    if before:
        values.pop("proxy_command", None)
    sources = {name: setting.place for name, setting in settings.items()}
    sources |= dict.fromkeys(given, "the chain of jump hosts")
    return Host(name=hop.name, ssh_config=ssh_config, sources=sources, **values)
