"""SSH clients that are not ours: what they and a server agree on is no fault of both.

`ssh` reads both streams at once and obeys known_hosts strictly; `paramiko_client` opens channels
and files of every kind; asyncssh, used by the tests directly, reports signals.
"""

from __future__ import annotations

import subprocess

import paramiko
import pytest

from fleetrun import Host

_PATIENCE_S = 60.0


def ssh(host: Host, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command with OpenSSH's client, in the host's terms and no others."""
    (known_hosts,) = host.known_hosts
    options = (
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={known_hosts}",
        "LogLevel=ERROR",
    )
    return subprocess.run(
        [
            *("ssh", "-F", "none", "-T", "-i", str(host.private_key), "-p", str(host.port)),
            *(f"-o{option}" for option in options),
            *(f"{host.user}@{host.address}", *command),
        ],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=_PATIENCE_S,
    )


def paramiko_client(host: Host) -> paramiko.SSHClient:
    """Log in with paramiko's own client; close it."""
    client = paramiko.SSHClient()
    client.load_host_keys(host.known_hosts[0])
    try:
        client.connect(
            host.address,
            port=host.port,
            username=host.user,
            key_filename=host.private_key,
            allow_agent=False,
            look_for_keys=False,
            timeout=_PATIENCE_S,
        )
    except BaseException:
        client.close()
        raise
    return client


def transport_of(client: paramiko.SSHClient) -> paramiko.Transport:
    """Return the transport of a client that is connected."""
    transport = client.get_transport()
    if transport is None:
        pytest.fail("the client is not connected")
    return transport
