"""How a host would be reached, without reaching it: for `fleetrun explain`.

Looks at what a login would look at: files, the agent, known_hosts. Nothing is connected to, but
for the agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetrun.errors import AuthError, HostKeyError, SessionError, UsageError
from fleetrun.hosts import DEFAULT_IDENTITY_FILES, Host, HostKeyPolicy
from fleetrun.ssh.agent import agent_keys, agent_socket
from fleetrun.ssh.config import SshConfig
from fleetrun.ssh.config_options import READ
from fleetrun.ssh.hops import hops_to
from fleetrun.ssh.hostkeys import known_entries, known_name, offered_key_types
from fleetrun.ssh.keyfile import look_at_key, public_blob
from fleetrun.ssh.keys import login_keys
from fleetrun.ssh.proxy_command import split_proxy_command
from fleetrun.ssh.transport import host_key_algorithms, offered_algorithms

from paramiko import PKey  # isort: skip (fleetrun.ssh.agent makes it cheap, and must come first)
from paramiko.agent import AgentKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A host on the way, or the host itself, and how it would be logged in to.

    Attributes:
        host: the host.
        methods: what would be offered to log in, in order, as sentences without a verb.
        known: the known_hosts lines that are about it: place, marker or nothing, type, fingerprint.
        problems: what could not work, as sentences.
    """

    host: Host
    methods: tuple[str, ...]
    known: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known before a connection is made.

    Attributes:
        stops: the jump hosts in the order in which they are passed, then the host itself.
        algorithms: what would be offered, best first, by kind.
        unused: what ssh_config sets for the host and fleetrun does not act on: keyword, value,
            place.
        warnings: what stands in ssh_config and is not done.
        problems: what is wrong with the way, as sentences.
    """

    stops: tuple[Stop, ...]
    algorithms: Mapping[str, tuple[str, ...]]
    unused: tuple[tuple[str, str, str], ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def explain(host: Host) -> Explanation:
    """Return how the host would be reached; raises `UsageError` when ssh_config is wrong."""
    problems: list[str] = []
    hops: tuple[Host, ...] = ()
    try:
        hops = hops_to(host)
    except SessionError as error:
        problems.append(str(error))
    config = SshConfig.load(host.ssh_config)
    return Explanation(
        stops=tuple(map(_stop, (*hops, host))),
        algorithms=_algorithms(host),
        unused=tuple(_unused(config, host)),
        warnings=config.warnings,
        problems=tuple(problems),
    )


def _stop(host: Host) -> Stop:
    problems = list(_key_problems(host))
    methods: list[str] = []
    try:
        methods += [_shown_key(host, key) for key in login_keys(host).keys]
    except AuthError as error:
        problems.append(str(error))
    if host.password is not None:
        methods.append("the password")
    if not methods:
        problems.append(f"there is no key and no password to log in as {host.user} with")
    known: list[str] = []
    try:
        known += [
            " ".join(
                filter(None, (each.place, each.marker, each.key.key_type, each.key.fingerprint))
            )
            for each in known_entries(host)
        ]
    except HostKeyError as error:
        problems.append(str(error))
    problems += _way_problems(host, known)
    return Stop(host=host, methods=tuple(methods), known=tuple(known), problems=tuple(problems))


def _shown_key(host: Host, key: PKey) -> str:
    what = f"key {key.get_name()} {key.fingerprint}"
    if key.public_blob is not None:
        what = f"certificate {key.public_blob.key_type} for {what}"
    if isinstance(key, AgentKey):
        return f"{what} of the ssh-agent ({key.comment})"
    paths = (host.private_key,) if host.private_key is not None else host.identity_files
    path = next((path for path in paths if public_blob(path) == key.asbytes()), None)
    return what if path is None else f"{what} of {path}"


def _key_problems(host: Host) -> Iterator[str]:
    """Yield what keeps keys from being offered, where they were asked for."""
    if host.private_key is not None:
        return  # it is read, or the reason is told
    for path in host.identity_files:
        if path in DEFAULT_IDENTITY_FILES and not Path(path).expanduser().is_file():
            continue
        try:
            if look_at_key(path).encrypted:
                yield f"{path} is encrypted: it is used if the ssh-agent has it"
        except UsageError as error:
            if public_blob(path) is None:
                yield str(error)
    if host.identity_agent is not None:
        socket = agent_socket(host.identity_agent)
        if socket is None:
            yield f"no ssh-agent: {host.identity_agent} is not set"
        elif found := agent_keys(host.identity_agent):
            found[0].agent.close()
        else:
            yield f"the ssh-agent at {socket} has no keys, or does not answer"


def _way_problems(host: Host, known: list[str]) -> Iterator[str]:
    if not known and host.host_keys is HostKeyPolicy.STRICT:
        yield (
            f"no host key is known of {known_name(host)}, and an unknown one is refused; "
            "look at it with: fleetrun keys scan"
        )
    if host.host_keys is HostKeyPolicy.OFF:
        yield "its host key is not checked: whoever sits in between can read and change everything"
    if host.proxy_command is not None:
        try:
            split_proxy_command(host.proxy_command)
        except SessionError as error:
            yield str(error)


def _algorithms(host: Host) -> dict[str, tuple[str, ...]]:
    supported = host_key_algorithms(legacy_algorithms=host.legacy_algorithms)
    try:
        key_types = offered_key_types(host, supported)
    except HostKeyError:  # told already
        key_types = supported
    return {**offered_algorithms(legacy_algorithms=host.legacy_algorithms), "host key": key_types}


def _unused(config: SshConfig, host: Host) -> Iterator[tuple[str, str, str]]:
    found = config.look_up(host.name)
    if found.address != host.address:  # the inventory gave an address, and that was looked up
        found = config.look_up(host.address)
    for keyword, values in found.values.items():
        if keyword not in READ:
            for value in values:
                yield keyword, value.text, value.place
