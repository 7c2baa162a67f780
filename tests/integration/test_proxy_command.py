"""ProxyCommand: a program as the connection, without a shell, ended with its session."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from pathlib import Path

import pytest
from servers import ServerAccount, is_alive, wait_until

from fleetrun import Fleet, Host, Outcome, Phase
from fleetrun.errors import ConnectError
from fleetrun.ssh.config_settings import with_ssh_config
from fleetrun.ssh.proxy_command import split_proxy_command

RELAY = """
import os, select, socket, sys
name, port, pids = sys.argv[1:]
with open(pids, "a") as file:
    print(os.getpid(), file=file)
print("relaying", file=sys.stderr)
wire = socket.create_connection((name, int(port)))
while True:
    for ready in select.select([0, wire], [], [])[0]:
        data = os.read(0, 65536) if ready == 0 else wire.recv(65536)
        if not data:
            sys.exit(3)
        if ready == 0:
            wire.sendall(data)
        else:
            while data:
                data = data[os.write(1, data):]
"""


@pytest.fixture
def relayed(sshd: ServerAccount, tmp_path: Path) -> Host:
    """A host that ssh_config reaches through a program."""
    script = tmp_path / "relay.py"
    script.write_text(RELAY)
    words = [sys.executable, str(script), "%h", "%p", str(tmp_path / "pids")]
    config = tmp_path / "config"
    config.write_text(f"Host {sshd.address}\n ProxyCommand exec {shlex.join(words)}\n")
    host = sshd.host("web1", ssh_config=str(config))
    names = (each.name for each in dataclasses.fields(host) if each.name != "sources")
    return with_ssh_config({name: getattr(host, name) for name in names}, {"port": "-i"})


def pids_of(folder: Path) -> list[int]:
    return list(map(int, (folder / "pids").read_text().split()))


@pytest.mark.sshd
def test_a_session_goes_through_the_program_and_ends_it(relayed: Host, tmp_path: Path) -> None:
    with Fleet([relayed], mode="threads") as fleet:
        result = fleet.exec("head -c 3000000 /dev/zero | wc -c; cat", stdin=b"x" * 300_000)["web1"]
    assert result.ok, result.error
    assert result.stdout.endswith(b"x" * 300_000)
    (pid,) = pids_of(tmp_path)
    wait_until(lambda: not is_alive(pid))


@pytest.mark.sshd
def test_the_program_is_ended_when_the_login_fails(relayed: Host, tmp_path: Path) -> None:
    with Fleet([dataclasses.replace(relayed, known_hosts=())], mode="threads") as fleet:
        result = fleet.exec("true")["web1"]
    assert result.phase is Phase.HOSTKEY
    (pid,) = pids_of(tmp_path)
    wait_until(lambda: not is_alive(pid))


def test_what_the_program_complained_of_is_in_the_error(tmp_path: Path) -> None:
    script = tmp_path / "proxy"
    script.write_text("echo 'no route to there' >&2; exit 7")
    host = Host(name="web1", proxy_command=f"sh {script}", known_hosts=())
    with Fleet([host], mode="threads") as fleet:
        result = fleet.exec("true")["web1"]
    assert result.outcome is Outcome.UNREACHABLE
    assert result.error is not None
    assert "the ProxyCommand ended with status 7: 'no route to there'" in result.error


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    host = Host(name="web1", proxy_command=f"{tmp_path}/nothing x", known_hosts=())
    with Fleet([host], mode="threads") as fleet:
        result = fleet.exec("true")["web1"]
    assert result.phase is Phase.CONNECT
    assert result.error == (
        f"the ProxyCommand '{tmp_path}/nothing' does not start: no such file or directory"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nc web1 22", ["nc", "web1", "22"]),
        ("exec nc web1 22", ["nc", "web1", "22"]),
        ("nc 'a | b' \"c > d\"", ["nc", "a | b", "c > d"]),
        (r"nc a\ b", ["nc", "a b"]),
    ],
)
def test_a_command_is_split_as_a_shell_would(line: str, words: list[str]) -> None:
    assert split_proxy_command(line) == words


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nc a 22 | tee log", "needs a shell for '|'"),
        ("nc a 22 2>/dev/null", "needs a shell for '>'"),
        ("nc $HOST 22", "needs a shell for '$'"),
        ('nc "$HOST" 22', "needs a shell for '$'"),
        ("nc `hostname` 22", "needs a shell for '`'"),
        ("a && b", "needs a shell for '&'"),
        ("LANG=C nc a 22", "needs a shell for 'LANG=C'"),
        ("nc 'a", "quote that is not closed"),
        ("exec", "is empty"),
    ],
)
def test_a_command_that_needs_a_shell_is_an_error_that_says_so(line: str, reason: str) -> None:
    with pytest.raises(ConnectError, match="ProxyCommand") as caught:
        split_proxy_command(line)
    assert reason in str(caught.value)


def test_what_a_token_stands_for_is_never_run_by_a_shell(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("ProxyCommand nc %r %h\n")
    values = {"name": "web1", "user": "a;b", "ssh_config": str(config)}
    host = with_ssh_config(values, {"user": "hosts.yaml:1"})
    with pytest.raises(ConnectError, match="needs a shell"):
        split_proxy_command(host.proxy_command or "")
