"""Jump hosts between real sshd servers: chains, sharing, what goes wrong on the way."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from calling import call
from servers import ServerAccount, start_sshd, wait_until

from fleetrun import Fleet, Host, Outcome, Phase, Report
from fleetrun.events import Output
from fleetrun.hosts import current_user
from fleetrun.lab import Lab
from fleetrun.operations import Exec
from fleetrun.ssh import bastion, login
from fleetrun.ssh.bastions import BASTIONS
from fleetrun.ssh.gate import MAX_HANDSHAKES
from fleetrun.ssh.transport import Transport
from fleetrun.ssh.way import Through
from fleetrun.ssh.wire import Link

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(180), pytest.mark.long]

ACCEPTED = "Accepted publickey"


@pytest.fixture(autouse=True)
def _no_bastion_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bastion, "IDLE_S", 0.3)
    yield
    BASTIONS.close()


@pytest.fixture
def sshd_of(tmp_path: Path) -> Iterator[Callable[..., ServerAccount]]:
    """Return what starts one more server, each with its own port, keys and host key."""
    with ExitStack() as stack:
        yield lambda *extra: stack.enter_context(start_sshd(tmp_path, extra))


def config_of(
    folder: Path, hops: dict[str, ServerAccount], more: dict[str, str] | None = None
) -> str:
    """Write an ssh_config that knows the hops, and return its path."""
    blocks = [
        f"Host {name}\n HostName {hop.address}\n Port {hop.port}\n User {hop.user}\n"
        f" IdentityFile {hop.private_key}\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {hop.known_hosts}\n {(more or {}).get(name, '')}\n"
        for name, hop in hops.items()
    ]
    path = folder / "ssh_config"
    path.write_text("".join(blocks))
    return str(path)


def exec_on(hosts: list[Host], command: str = "echo here") -> Report:
    with Fleet(hosts, mode="threads") as fleet:
        return fleet.exec(command)


def logins(server: ServerAccount) -> int:
    assert server.log is not None
    return server.log.read_text(errors="replace").count(ACCEPTED)


def another_user() -> str | None:
    """Return a user other than ours that sshd would let in; only root can ask for one."""
    shadow = Path("/etc/shadow")
    if os.geteuid() != 0 or not shadow.exists():
        return None
    locked = {line.split(":")[0] for line in shadow.read_text().splitlines() if ":!" in line[:40]}
    usable = (
        each.pw_name
        for each in pwd.getpwall()
        if each.pw_uid >= 1000 and each.pw_shell.endswith("sh") and each.pw_name not in locked
    )
    return next(usable, None)


def test_a_chain_of_two_each_with_its_own_user_port_key_and_host_key(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    user = another_user()
    # another user cannot read our folder of keys; root reads it for sshd
    keys = ["AuthorizedKeysCommand /bin/cat %s", "AuthorizedKeysCommandUser root"]
    first = sshd_of()
    keys[0] %= tmp_path / "sshd1" / "authorized_keys"
    second, last = sshd_of(*(keys if user else [])), sshd_of()
    user = user or current_user()
    config = config_of(tmp_path, {"b1": first, "b2": dataclasses.replace(second, user=user)})
    host = last.host("web1", jump="b1,b2", ssh_config=config)

    report = exec_on([host], "echo $SSH_CONNECTION")

    assert report.ok, report["web1"].error
    assert report["web1"].text.split()[-1] == str(last.port)
    assert [logins(server) for server in (first, second, last)] == [1, 1, 1]
    assert second.log is not None
    assert f"{ACCEPTED} for {user} " in second.log.read_text()
    assert len({each.known_hosts for each in (first, second, last)}) == 3


def test_explain_tells_the_way_of_a_chain_and_its_check_goes_it(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    first, second, last = sshd_of(), sshd_of(), sshd_of()
    hops = {"b1": first, "b2": second, "web1": last}
    config = config_of(tmp_path, hops, {"web1": "ProxyJump b1,b2"})

    told = call("explain", "-i", "web1,", "-F", config, "web1", folder=tmp_path)
    assert told.code == 0, told.err
    assert [logins(server) for server in (first, second, last)] == [0, 0, 0]
    for number, (name, hop) in enumerate(hops.items(), start=1):
        assert f"  {number}. {name}: {hop.user}@127.0.0.1 port {hop.port}\n" in told.out
        assert f"known: {hop.known_hosts}:1 " in told.out
        assert f"of {hop.private_key}\n" in told.out
    assert re.search(rf"^  jump +b1,b2 +{config}:\d+$", told.out, re.MULTILINE)

    checked = call("explain", "-i", "web1,", "-F", config, "web1", "--check", folder=tmp_path)
    assert checked.code == 0, checked.err
    assert [logins(server) for server in (first, second, last)] == [1, 1, 1]
    spent, ended = checked.out.splitlines()[-2:]
    assert re.fullmatch(r"  resolve \d+\.\d{3} s, connect .*auth \d+\.\d{3} s", spent)
    assert ended == "  logged in"


def test_a_jump_hosts_own_jump_host_is_passed_first(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    first, second, last = sshd_of(), sshd_of(), sshd_of()
    config = config_of(tmp_path, {"b1": first, "b2": second}, {"b2": "ProxyJump b1"})

    assert exec_on([last.host("web1", jump="b2", ssh_config=config)]).ok
    assert [logins(server) for server in (first, second, last)] == [1, 1, 1]


@pytest.mark.long
@pytest.mark.parametrize("mode", ["threads", "greenlets", "hybrid", "processes"])
def test_two_hundred_hosts_behind_one_bastion_open_one_connection_to_it_a_process(
    mode: str, sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    server = sshd_of()
    config = config_of(tmp_path, {"b": server})
    with Lab(4) as lab:
        real = Fleet.from_inventory(lab.inventory).hosts
        hosts = [
            dataclasses.replace(
                real[number % 4],
                name=f"web{number}",
                jump="b",
                ssh_config=config,
                connect_timeout_s=60.0,
            )
            for number in range(200)
        ]
        with Fleet(hosts, mode=mode, forks=None if mode == "threads" else 8) as fleet:
            report = fleet.exec("echo here")

    assert report.counts[Outcome.OK] == 200, {result.error for result in report.failed}
    assert logins(server) == max(1, fleet.plan.workers)


def test_a_bastion_that_allows_one_session_lets_all_hosts_behind_it_be_reached(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    """A way through it is no session: OpenSSH counts those for MaxSessions alone."""
    bastion, last = sshd_of("MaxSessions 1"), sshd_of()
    config = config_of(tmp_path, {"b": bastion})
    hosts = [last.host(f"web{number}", jump="b", ssh_config=config) for number in range(12)]

    assert exec_on(hosts).ok
    assert logins(bastion) == 1


@pytest.mark.long
def test_no_more_than_eight_handshakes_go_through_at_once(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted here: a server may take one for unfinished that we have logged in with already."""
    under_way: set[str] = set()
    peak = 0
    lock = threading.Lock()
    open_through, log_in = Through.open, login.log_in

    def counted_open(self: Through, host: Host, *rest: Any) -> Link:  # noqa: ANN401 (as they are)
        nonlocal peak
        with lock:
            under_way.add(host.name)
            peak = max(peak, len(under_way))
        return open_through(self, host, *rest)

    def counted_log_in(transport: Transport, host: Host) -> None:
        try:
            log_in(transport, host)
        finally:
            with lock:
                under_way.discard(host.name)

    monkeypatch.setattr(Through, "open", counted_open)
    monkeypatch.setattr("fleetrun.ssh.connect.log_in", counted_log_in)
    config = config_of(tmp_path, {"b": sshd_of()})
    behind = [sshd_of("MaxStartups 100") for _ in range(3)]  # one alone is not asked by more anyway
    hosts = [
        behind[number % 3].host(f"web{number}", jump="b", ssh_config=config, connect_timeout_s=60.0)
        for number in range(36)
    ]

    assert exec_on(hosts).ok
    assert under_way == set()
    assert 1 < peak <= MAX_HANDSHAKES == 8


def test_what_is_sent_and_received_through_a_bastion_arrives_as_it_was(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    """More than all windows and buffers hold, both ways."""
    bastion, last = sshd_of(), sshd_of()
    host = last.host("web1", jump="b", ssh_config=config_of(tmp_path, {"b": bastion}))
    content = os.urandom(1024) * 12 * 1024

    with Fleet([host], mode="threads") as fleet:
        result = fleet.exec("cat", stdin=content, output_limit_bytes=len(content))["web1"]

    assert result.ok, result.error
    assert result.stdout == content


@pytest.mark.parametrize(
    ("name", "phase", "said"),
    [
        ("unknown key", Phase.HOSTKEY, "via b2: hostkey: the host key is not known"),
        ("no key", Phase.AUTH, "via b2: auth: "),
        ("nobody there", Phase.CONNECT, "via b1: it opens no way to 127.0.0.1:1: "),
        ("not allowed", Phase.CONNECT, "via b1: it opens no way to 127.0.0.1:"),
        ("no such jump host", Phase.RESOLVE, "via no-such-host.invalid: resolve: cannot resolve"),
        ("a circle", Phase.RESOLVE, "the jump hosts lead in a circle"),
    ],
)
def test_where_on_the_way_it_ended_is_told(
    name: str,
    phase: Phase,
    said: str,
    sshd_of: Callable[..., ServerAccount],
    tmp_path: Path,
) -> None:
    first = sshd_of("AllowTcpForwarding no") if name == "not allowed" else sshd_of()
    last = sshd_of()
    second = last
    if name == "unknown key":
        second = dataclasses.replace(last, known_hosts="/dev/null")
    if name == "no key":
        second = dataclasses.replace(last, private_key=first.private_key)
    more = {"b1": "ProxyJump b2", "b2": "ProxyJump b1"} if name == "a circle" else {}
    config = config_of(tmp_path, {"b1": first, "b2": second}, more)
    jump = "b1,b2" if name in {"unknown key", "no key"} else "b1"
    host = last.host("web1", ssh_config=config, jump=jump, known_hosts=("/dev/null",))
    if name == "nobody there":
        host = dataclasses.replace(host, port=1)
    if name == "no such jump host":
        host = dataclasses.replace(host, jump="no-such-host.invalid")

    result = exec_on([host])["web1"]

    assert result.outcome is Outcome.UNREACHABLE
    assert result.phase is phase
    assert result.error is not None
    assert result.error.startswith(said)


def test_a_refused_login_at_the_jump_host_is_not_repeated_for_each_host_behind_it(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    server, other = sshd_of(), sshd_of()
    config = config_of(tmp_path, {"b": dataclasses.replace(server, private_key=other.private_key)})
    hosts = [other.host(f"web{number}", jump="b", ssh_config=config) for number in range(12)]

    report = exec_on(hosts)

    assert {result.phase for result in report} == {Phase.AUTH}
    assert server.log is not None
    assert server.log.read_text().count("Connection from") == 1


@pytest.mark.parametrize(
    ("jump", "dies"),
    [("b1", "b1"), ("b1,b2", "b1"), ("b1,b2", "b2")],
    ids=["the only one", "the first of two", "the second of two"],
)
def test_a_bastion_that_dies_takes_all_sessions_behind_it_along_and_says_so(
    jump: str, dies: str, sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    servers, last = {"b1": sshd_of(), "b2": sshd_of()}, sshd_of()
    config = config_of(tmp_path, servers)
    hosts = [last.host(f"web{number}", jump=jump, ssh_config=config) for number in range(4)]
    running: set[str] = set()
    with Fleet(hosts, mode="threads") as fleet:
        results = []
        for event in fleet.events(Exec(command="echo $PPID; sleep 60", live=True)):
            if isinstance(event, Output):
                running.add(event.host)
                if len(running) == len(hosts):
                    _kill_those_who_serve(servers[dies])
            results += [event.result] if hasattr(event, "result") else []

    assert {result.outcome for result in results} == {Outcome.LOST}
    for result in results:
        assert result.error is not None
        assert f"the connection to the jump host {dies} was lost" in result.error


def _kill_those_who_serve(server: ServerAccount) -> None:
    assert server.log is not None
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(stat.parent.name)
        if b"sshd: " in _read(stat) and f":{server.port}" in _connections_of(pid):
            os.kill(pid, signal.SIGKILL)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _connections_of(pid: int) -> str:
    """Return the local addresses of a process's TCP connections, as `address:port` in decimal."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            inodes.add(str(entry.readlink()).removeprefix("socket:[").rstrip("]"))
        except OSError:
            continue
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            found.append(f":{int(fields[1].split(':')[1], 16)}")
    return " ".join(found)


def test_a_bastion_that_nobody_needs_ends_by_itself(
    sshd_of: Callable[..., ServerAccount], tmp_path: Path
) -> None:
    server, last = sshd_of(), sshd_of()
    host = last.host("web1", jump="b", ssh_config=config_of(tmp_path, {"b": server}))

    assert exec_on([host]).ok
    assert exec_on([host]).ok
    assert logins(server) == 1
    wait_until(lambda: not any("bastion" in each.name for each in threading.enumerate()))
    assert exec_on([host]).ok
    assert logins(server) == 2
