"""Whether the number that a host gives to a channel is known before the host has said it."""

from __future__ import annotations

import pytest
from scripted_peer import wire_to_a_socket

from fleetrun.errors import ConnectionLost
from fleetrun.ssh.messages import build_message
from fleetrun.ssh.transport import Transport

from paramiko.message import Message  # isort: skip (fleetrun.ssh makes it cheap)


def take(kind: int, data: bytes) -> None:
    """Take what a channel receives and do nothing."""


def opened_under(number: int) -> Message:
    """Return the answer that opens our channel 0 under the host's number, after its type."""
    return Message(build_message(91, 0, number, 1 << 20, 1 << 15).asbytes()[1:])


@pytest.mark.parametrize(
    ("version", "foreseen"),
    [
        ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7", True),
        ("SSH-2.0-OpenSSH_for_Windows_9.5", True),
        ("SSH-2.0-dropbear_2022.83", True),
        ("SSH-2.0-Go", True),
        ("SSH-2.0-AsyncSSH_2.24.1", False),
        ("SSH-2.0-Cisco-1.25", False),
        ("SSH-2.0-", False),
    ],
)
def test_only_servers_that_are_known_to_number_from_0_are_foreseen(
    version: str, *, foreseen: bool
) -> None:
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=())
        transport.remote_version = version
        assert transport.foresee_number(transport.begin_channel("session", take)) is foreseen
        assert not transport.foresee_number(transport.begin_channel("session", take))


def test_a_host_that_numbers_otherwise_than_foreseen_is_believed_nothing_more() -> None:
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=())
        transport.remote_version = "SSH-2.0-OpenSSH_9.2"
        channel = transport.begin_channel("session", take)
        assert transport.foresee_number(channel)
        with pytest.raises(ConnectionLost, match="another number"):
            transport._take_opened(opened_under(5))
        assert not channel.opened


def test_a_number_that_was_not_foreseen_may_be_any() -> None:
    with wire_to_a_socket() as (wire, _):
        transport = Transport(wire, key_types=())
        channel = transport.begin_channel("session", take)
        transport._take_opened(opened_under(5))
        assert (channel.opened, channel.remote_id) == (True, 5)
