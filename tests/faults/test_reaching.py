"""Rows 1 to 11 and 13: from a name to a server that speaks SSH."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import ServerAccount
from trial import ADDRESS, Trial, ended

from fleetrun.faults import Direction, FaultProxy, FaultyResolver, ScriptedServer, scripts
from fleetrun.faults.servers import Script
from fleetrun.results import Outcome, Phase
from fleetrun.ssh import SshConnect

TIMEOUT_S = 1.0
MIB = 1024 * 1024


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


_ZERO_KEY = _text(b"ssh-ed25519") + _text(bytes(32))


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """Yield a port that is taken, and on which nobody listens."""
    with socket.socket() as sock:
        sock.bind((ADDRESS, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def black_hole(address: str = ADDRESS, port: int = 0) -> Iterator[int]:
    """Yield a port that drops every SYN: nobody accepts there, and the queue is full."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((address, port))
        listener.listen(0)
        where = listener.getsockname()
        while connects(stack.enter_context(socket.socket(family)), where):
            pass
        yield where[1]


def connects(sock: socket.socket, where: tuple[str, int]) -> bool:
    sock.setblocking(False)
    sock.connect_ex(where)
    return bool(select.select([], [sock], [], 0.3)[1])


@pytest.mark.fault(1, "connection refused", "unreachable, phase connect")
def test_row_01_a_refused_connection_is_unreachable(trial: Trial) -> None:
    with closed_port() as port:
        result = trial.run(trial.host(port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.CONNECT)
    assert "connection refused" in str(result.error)


@pytest.mark.fault(2, "SYN black hole", "unreachable at the connect timeout")
def test_row_02_a_black_hole_ends_at_the_connect_timeout(trial: Trial) -> None:
    with black_hole() as port:
        result = trial.run(trial.host(port, connect_timeout_s=TIMEOUT_S), within_s=TIMEOUT_S)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.CONNECT)
    assert "not connected within 1 s" in str(result.error)
    assert result.seconds >= TIMEOUT_S


@pytest.mark.fault(3, "name not found", "unreachable, phase resolve")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("nowhere.invalid", id="unknown"),
        pytest.param(f"{'x' * 64}.invalid", id="a label too long"),
    ],
)
def test_row_03_an_unknown_name_ends_in_resolve(trial: Trial, name: str) -> None:
    with FaultyResolver(SshConnect(), {"nowhere.invalid": ()}) as connect:
        result = trial.run(trial.host(22, address=name), connect=connect, within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.RESOLVE)
    assert f"cannot resolve {name}" in str(result.error)


@pytest.mark.fault(4, "resolver never answers", "unreachable, phase resolve, in time")
def test_row_04_a_silent_resolver_ends_at_the_connect_timeout(trial: Trial) -> None:
    host = trial.host(22, address="slow.invalid", connect_timeout_s=TIMEOUT_S)
    with FaultyResolver(SshConnect(), {"slow.invalid": ()}, silent_s=2.5) as connect:
        result = trial.run(host, connect=connect, within_s=TIMEOUT_S)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.RESOLVE)
    assert TIMEOUT_S <= result.seconds < 2.5
    assert "the resolver did not answer" in str(result.error)


@pytest.mark.fault(5, "first address dead, second good", "ok over the second within the budget")
def test_row_05_a_dead_address_leaves_the_next_its_chance(
    trial: Trial, sshd: ServerAccount
) -> None:
    trial.vouch(_known_as("both.invalid", sshd))
    host = trial.host(
        sshd.port,
        address="both.invalid",
        user=sshd.user,
        private_key=sshd.private_key,
        connect_timeout_s=2.0,
    )
    dead = "::1" if socket.has_ipv6 else "127.0.0.2"
    with (
        black_hole(dead, sshd.port),
        FaultyResolver(SshConnect(), {"both.invalid": (dead, ADDRESS)}) as connect,
    ):
        result = trial.run(host, connect=connect, within_s=2.0)
    assert result.ok, result
    assert result.phase_seconds[Phase.CONNECT] >= 0.5, "the dead address was never tried"


def _known_as(name: str, account: ServerAccount) -> str:
    return Path(account.known_hosts).read_text().replace(ADDRESS, name)


@pytest.mark.fault(6, "accepts, and is silent", "unreachable, phase banner, in time")
def test_row_06_a_silent_server_ends_at_the_connect_timeout(trial: Trial) -> None:
    with ScriptedServer(scripts.silent()) as server:
        host = trial.host(server.port, connect_timeout_s=TIMEOUT_S)
        result = trial.run(host, within_s=TIMEOUT_S)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert "not connected within 1 s" in str(result.error)
    assert server.visits == 1


@pytest.mark.fault(7, "accepts, and closes", "unreachable, phase banner, says so")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(scripts.closing(), "before it said its version", id="at once"),
        pytest.param(scripts.saying(b"go away\r\nSSH-"), "'go away | SSH-'", id="with words"),
    ],
)
def test_row_07_a_server_that_closes_is_quoted(trial: Trial, script: Script, words: str) -> None:
    with ScriptedServer(script) as server:
        result = trial.run(trial.host(server.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert words in str(result.error)


@pytest.mark.fault(8, "HTTP on the port", '"not an SSH server", its first line escaped')
def test_row_08_a_web_server_is_no_ssh_server(trial: Trial) -> None:
    with ScriptedServer(scripts.http()) as server:
        result = trial.run(trial.host(server.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert "not an SSH server: it says 'HTTP/1.1 400 Bad \\x1b[31mRequest'" in str(result.error)


@pytest.mark.fault(9, "version one byte each 0.5 s", "unreachable, phase banner, at the budget")
def test_row_09_a_dripping_version_does_not_outlast_the_budget(
    trial: Trial, sshd: ServerAccount
) -> None:
    drip = FaultProxy((sshd.address, sshd.port), direction=Direction.TO_CLIENT, rate_bytes_s=2.0)
    with drip as proxy:
        host = trial.host(proxy.port, connect_timeout_s=1.5)
        result = trial.run(host, within_s=1.5)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert 2 <= proxy.bytes_to_client <= 10, "each byte put the deadline off"


@pytest.mark.fault(9, "version in single bytes, in time", "unreachable, phase kex: it was read")
def test_row_09_a_version_in_single_bytes_is_read(trial: Trial) -> None:
    with ScriptedServer(scripts.dripping(interval_s=0.01)) as server:
        host = trial.host(server.port, connect_timeout_s=2.0)
        result = trial.run(host, within_s=2.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.KEX)


@pytest.mark.fault(10, "endless lines before the version; a 10 MB line", "protocol error, not read")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(scripts.endless_lines(), id="lines"),
        pytest.param(scripts.one_long_line(10 * MIB), id="line"),
    ],
)
def test_row_10_an_endless_greeting_is_not_read_to_its_end(trial: Trial, script: Script) -> None:
    with ScriptedServer(script) as server, FaultProxy((ADDRESS, server.port)) as proxy:
        result = trial.run(trial.host(proxy.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert "SSH version" in str(result.error) or "said its version" in str(result.error)
    assert proxy.bytes_to_client < 8 * MIB


@pytest.mark.fault(11, "version 1.5", "incompatible version")
def test_row_11_an_old_version_is_named(trial: Trial) -> None:
    with ScriptedServer(scripts.old_version()) as server:
        result = trial.run(trial.host(server.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert "it speaks 'SSH-1.5-Cisco-1.25', and only SSH 2.0" in str(result.error)


@pytest.mark.fault(13, "key exchange stalls", "unreachable, phase kex, in time")
@pytest.mark.parametrize("after_offer", [False, True], ids=["at once", "after its offer"])
def test_row_13_a_stalled_key_exchange_ends_at_the_connect_timeout(
    trial: Trial, *, after_offer: bool
) -> None:
    with ScriptedServer(scripts.stalling_in_kex(after_offer=after_offer)) as server:
        host = trial.host(server.port, connect_timeout_s=TIMEOUT_S)
        result = trial.run(host, within_s=TIMEOUT_S)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.KEX)
    assert "not connected within 1 s" in str(result.error)


@pytest.mark.fault(15, "a packet of 4 GiB before login", "protocol error at once, not read")
@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        pytest.param(2**32 - 4, "a packet that claims", id="4 GiB"),
        pytest.param(2**32 - 1, "protocol was broken", id="4 GiB, no multiple of a block"),
        pytest.param(257 * 1024 + 4, "a packet that claims", id="257 KiB"),
        pytest.param(4, "it sent", id="less than a block"),
    ],
)
def test_row_15_a_huge_packet_is_refused_by_its_length(
    trial: Trial, size_bytes: int, words: str
) -> None:
    script = scripts.claiming_a_packet_of(size_bytes, sending_bytes=64 * MIB)
    with ScriptedServer(script) as server, FaultProxy((ADDRESS, server.port)) as proxy:
        result = trial.run(trial.host(proxy.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.KEX)
    assert words in str(result.error)
    assert proxy.bytes_to_client < 20 * MIB


@pytest.mark.fault(15, "packets that make no sense", "protocol error, never a bug of ours")
@pytest.mark.parametrize(
    "packets",
    [
        pytest.param(struct.pack(">IB", 12, 11) + bytes(11), id="no payload"),
        pytest.param(struct.pack(">IB", 12, 255) + bytes(11), id="more padding than packet"),
        pytest.param(scripts.packet(b"\x14"), id="no lists in the offer"),
        pytest.param(scripts.packet(b"\x14" + bytes(16) + _text(b"\xff\xfe")), id="no UTF-8"),
        pytest.param(
            scripts.packet(b"\x01" + bytes(4) + _text("déjà vu".encode("latin-1"))),
            id="goodbye in Latin-1",
        ),
        pytest.param(
            scripts.packet(scripts.kexinit()) + scripts.packet(b"\x1f" + 3 * _text(b"x")),
            id="no keys",
        ),
        pytest.param(
            scripts.packet(scripts.kexinit())
            + scripts.packet(b"\x1f" + _text(_ZERO_KEY) + _text(bytes(32)) + _text(b"x")),
            id="a key of zeros",
        ),
        pytest.param(scripts.packet(b"\xc8"), id="unknown message"),
        pytest.param(scripts.packet(b"\x34"), id="logged in already"),
    ],
)
def test_row_15_nonsense_is_a_broken_protocol(trial: Trial, packets: bytes) -> None:
    with ScriptedServer(scripts.saying(scripts.VERSION + packets, then_close=False)) as server:
        result = trial.run(trial.host(server.port), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.KEX)
