"""What sessions on other machines need of the operator's files, read before the run begins.

    hosts ─► their jump hosts (ssh_config) ─► key files, certificates, known_hosts ─► Belongings

ssh_config itself is not sent: what it says of the jump hosts is looked up here, where its `~`, its
`${NAME}` and its `Include` mean what they were written to mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fleetrun.errors import ConnectError, UsageError
from fleetrun.hosts import Host
from fleetrun.ssh.belongings import Belongings, Chain, SentFile, chain_to, is_there, read
from fleetrun.ssh.hops import look_up_hop
from fleetrun.ssh.keyfile import is_encrypted, read_private_key, without_passphrase
from fleetrun.ssh.known_hosts import lines_about

_MAX_CERTIFICATE_BYTES = 64 * 1024


def gather(hosts: Sequence[Host]) -> Belongings:
    """Read all that sessions of the hosts, and of the jump hosts on their way, will need.

    Raises `UsageError` when a private key that a host names cannot be used, or a host is left with
    nothing to log in with: an agent's keys cannot be sent.
    """
    hops = _find_hops(hosts)
    everyone = [*hosts, *(hop for hop in hops.values() if isinstance(hop, Host))]
    files = _gather_keys(everyone)
    return Belongings(files={**files, **_gather_known_hosts(everyone)}, hops=hops)


def _find_hops(hosts: Iterable[Host]) -> dict[Chain, Host | str]:
    """Look up each jump host once, and those on the way to it; a failure is for its hosts alone."""
    found: dict[Chain, Host | str] = {}
    waiting = list(hosts)
    for host in waiting:
        chain = chain_to(host)
        if chain is None or chain in found:
            continue
        try:
            hop = look_up_hop(chain)
        except ConnectError as error:
            found[chain] = str(error)
        else:
            found[chain] = hop
            waiting.append(hop)
    return found


def _gather_keys(hosts: Sequence[Host]) -> dict[str, SentFile]:
    """Read the key files and certificates of the hosts, each once."""
    ways = {(host.private_key, host.identity_files, host.password is None): host for host in hosts}
    each_file = dict.fromkeys(file for _, files, _ in ways for file in files)
    files = {file: sent for file in each_file if (sent := _identity(file)) is not None}
    for host in ways.values():
        if host.private_key is None and host.password is None:
            _check_way_in(host, files)
    named = dict.fromkeys(file for file, _, _ in ways if file is not None)
    files |= {file: _sent(file, read_private_key(file)) for file in named}
    certificates = [f"{file}-cert.pub" for file, sent in files.items() if sent.content is not None]
    certificates += [file for host in hosts for file in host.certificate_files]
    return files | dict(_certificates(certificates))


def _identity(file: str) -> SentFile | None:
    """Read a key that is offered if it can be; what needs a passphrase is of no use, and stays."""
    if not is_there(file):
        return None
    try:
        content = read_private_key(file)
        wrong = without_passphrase(file) if is_encrypted(file, content) else None
    except UsageError as error:
        wrong = str(error)
    return _sent(file, content) if wrong is None else SentFile(place=file, wrong=wrong)


def _check_way_in(host: Host, files: dict[str, SentFile]) -> None:
    if any(files[file].content is not None for file in host.identity_files if file in files):
        return
    raise UsageError(
        f"host {host.name!r}: it has no password and no key file that can be sent to the workers "
        "(keys of an ssh-agent cannot be, and encrypted ones need their passphrase); name a key "
        "with --private-key, or have the workers use their own: --keys-from worker"
    )


def _certificates(files: Iterable[str]) -> Iterator[tuple[str, SentFile]]:
    for file in dict.fromkeys(files):
        if is_there(file):
            try:
                yield file, _sent(file, read(file, _MAX_CERTIFICATE_BYTES))
            except OSError as error:
                yield file, SentFile(place=file, wrong=str(error.strerror))


def _gather_known_hosts(hosts: Sequence[Host]) -> dict[str, SentFile]:
    """Read the known_hosts files of the hosts, without the lines that are about others."""
    names = {name.lower() for host in hosts for name in _names(host)}
    files = dict.fromkeys(file for host in hosts for file in host.known_hosts)
    return {file: _known_hosts(file, names) for file in files}


def _names(host: Host) -> tuple[str, ...]:
    """Return every name by which a session may look for the host in known_hosts."""
    return host.host_key_alias or host.address, host.address, f"[{host.address}]:{host.port}"


def _known_hosts(file: str, names: set[str]) -> SentFile:
    place = Path(file).expanduser()
    try:
        lines = place.read_bytes().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return SentFile(place=str(place))
    except OSError as error:
        return SentFile(place=str(place), wrong=f"{place}: cannot be read: {error.strerror}")
    return SentFile.of(place, b"\n".join(lines_about(lines, names)).rstrip(b"\n"))


def _sent(file: str, content: bytes) -> SentFile:
    return SentFile.of(Path(file).expanduser(), content)
