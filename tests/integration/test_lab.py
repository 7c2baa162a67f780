"""The practice fleet, seen by clients that are not ours."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncssh
import paramiko
import pytest
from clients import paramiko_client, ssh, transport_of
from servers import is_alive, make_key, wait_until

from fleetrun import FleetrunError, Host, Inventory
from fleetrun.lab import Lab

SIZE_BYTES = 3_000_000
RTT_S = 0.05
PATIENCE_S = 60.0
FOREVER = "sleep 1000"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Return a lab of three hosts, shared by the tests of this file."""
    with Lab(3) as lab:
        yield lab


@pytest.fixture
def hosts(lab: Lab) -> tuple[Host, ...]:
    """Return the hosts of the lab, as its inventory has them."""
    return Inventory.load(lab.inventory).hosts


@pytest.fixture
def host(hosts: tuple[Host, ...]) -> Host:
    """Return the first host of the lab."""
    return hosts[0]


@pytest.fixture
def client(host: Host) -> Iterator[paramiko.SSHClient]:
    """Return a client that is logged in to the first host."""
    with paramiko_client(host) as client:
        yield client


@pytest.fixture
def files(client: paramiko.SSHClient) -> Iterator[paramiko.SFTPClient]:
    """Return the files of the first host."""
    with client.open_sftp() as files:
        files.get_channel().settimeout(PATIENCE_S)
        yield files


def run(client: paramiko.SSHClient, command: str) -> bytes:
    """Run a command to its end, which must be a good one; return its output."""
    _, stdout, _ = client.exec_command(command, timeout=PATIENCE_S)
    output: bytes = stdout.read()
    assert stdout.channel.recv_exit_status() == 0
    return output


def start(client: paramiko.SSHClient, command: str) -> tuple[paramiko.Channel, int]:
    """Start a command that says its process id first; return its channel and that."""
    _, stdout, _ = client.exec_command(command, timeout=PATIENCE_S)
    return stdout.channel, int(stdout.readline())


def connection(host: Host) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
    """Return asyncssh's client, to be entered."""
    return asyncssh.connect(
        host.address,
        host.port,
        username=host.user,
        client_keys=[str(host.private_key)],
        known_hosts=host.known_hosts[0],
        config=None,
        agent_path=None,
    )


# Commands


def test_every_host_is_a_place_of_its_own(lab: Lab, hosts: tuple[Host, ...]) -> None:
    said = [ssh(host, "echo $FLEETRUN_LAB_HOST; pwd; echo $HOME").stdout for host in hosts]
    homes = [lab.folder / "scratch" / name for name in ("lab1", "lab2", "lab3")]
    assert said == [f"{home.name}\n{home}\n{home}\n".encode() for home in homes]
    keys = lab.known_hosts.read_text().split()[2::3]
    assert len(set(keys)) == len(hosts)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("true", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("no-such-command", 127),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -TERM $$", -signal.SIGTERM),
    ],
)
def test_the_end_of_a_command_is_told_as_it_was(host: Host, command: str, status: int) -> None:
    async def end() -> asyncssh.SSHCompletedProcess:
        async with connection(host) as client:
            return await client.run(command)

    ended = asyncio.run(asyncio.wait_for(end(), PATIENCE_S))
    assert ended.returncode == status


def test_three_megabytes_on_both_streams_at_once_arrive_whole(host: Host) -> None:
    ran = ssh(host, f"head -c {SIZE_BYTES} /dev/zero | tee /dev/stderr")
    assert (ran.returncode, len(ran.stdout), len(ran.stderr)) == (0, SIZE_BYTES, SIZE_BYTES)


def test_three_megabytes_of_input_come_back_whole(host: Host) -> None:
    sent = bytes(range(250)) * (SIZE_BYTES // 250)
    assert ssh(host, "cat", stdin=sent).stdout == sent


def test_input_that_a_command_does_not_read_is_thrown_away(client: paramiko.SSHClient) -> None:
    unread = "exec <&-; until [ -e all-sent ]; do sleep 0.02; done; echo done"
    stdin, stdout, _ = client.exec_command(unread, timeout=PATIENCE_S)
    stdin.channel.sendall(bytes(3 * SIZE_BYTES))  # more than windows and buffers hold
    run(client, "touch all-sent")
    assert stdout.read() == b"done\n"


def test_without_a_command_a_shell_reads_its_input(host: Host) -> None:
    ran = ssh(host, stdin=b"echo from $FLEETRUN_LAB_HOST\nexit 4\n")
    assert (ran.returncode, ran.stdout) == (4, b"from lab1\n")


def test_hosts_work_at_the_same_time(hosts: tuple[Host, ...]) -> None:
    with paramiko_client(hosts[0]) as one, paramiko_client(hosts[1]) as other:
        wait = "until [ -e ../lab2/came ]; do sleep 0.02; done; echo met"
        _, met, _ = one.exec_command(wait, timeout=PATIENCE_S)
        run(other, "touch came")
        assert met.read() == b"met\n"


def test_a_host_without_its_home_says_so_and_the_others_go_on(hosts: tuple[Host, ...]) -> None:
    home = ssh(hosts[2], "pwd; rm -rf $HOME").stdout.decode().strip()
    ran = ssh(hosts[2], "true")
    assert ran.returncode == 126
    assert b"the lab cannot start a shell" in ran.stderr
    assert ssh(hosts[0], "true").returncode == 0
    Path(home).mkdir()


# The end of a command


def test_a_signal_reaches_all_that_the_command_has_started(host: Host) -> None:
    async def signalled() -> tuple[list[int], str]:
        async with connection(host) as client:
            command = f"trap 'echo got it; exit 5' TERM; sh -c 'echo $$; exec {FOREVER}' & wait"
            process = await client.create_process(command, input="")
            pid = int(await process.stdout.readline())
            process.send_signal("NONSENSE")
            process.send_signal("TERM")
            rest = await process.stdout.read()
            return [pid, (await process.wait()).exit_status or 0], rest

    (pid, status), rest = asyncio.run(asyncio.wait_for(signalled(), PATIENCE_S))
    assert (status, rest) == (5, "got it\n")
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize("how", ["channel", "connection"])
def test_a_command_ends_when_its_client_goes_away(client: paramiko.SSHClient, how: str) -> None:
    ignored = "trap '' HUP INT TERM PIPE"
    channel, pid = start(client, f"{ignored}; {FOREVER} & echo $!; wait")
    assert is_alive(pid)
    (channel if how == "channel" else client).close()
    wait_until(lambda: not is_alive(pid))


def test_what_a_command_leaves_running_ends_with_it(host: Host) -> None:
    pid = int(ssh(host, f"{FOREVER} >/dev/null 2>&1 & echo $!").stdout)
    wait_until(lambda: not is_alive(pid))


# Who gets in, and to what


def test_a_key_is_the_only_way_in(host: Host) -> None:
    with closing(paramiko.Transport((host.address, host.port))) as transport:
        transport.start_client(timeout=PATIENCE_S)
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            transport.auth_none(host.user)
    assert refused.value.allowed_types == ["publickey"]


@pytest.mark.parametrize("what", ["key", "user"])
def test_another_key_or_user_is_not_let_in(host: Host, tmp_path: Path, what: str) -> None:
    make_key(tmp_path / "other")
    wrong = {
        "key": replace(host, private_key=str(tmp_path / "other")),
        "user": replace(host, user="somebody-else"),
    }
    with pytest.raises(paramiko.AuthenticationException):
        paramiko_client(wrong[what])


def test_nothing_is_forwarded(client: paramiko.SSHClient, hosts: tuple[Host, ...]) -> None:
    transport = transport_of(client)
    there, here = (hosts[1].address, hosts[1].port), ("127.0.0.1", 1)
    with pytest.raises(paramiko.ChannelException):
        transport.open_channel("direct-tcpip", there, here, timeout=PATIENCE_S)
    with pytest.raises(paramiko.SSHException):
        transport.request_port_forward("127.0.0.1", 0)


@pytest.mark.parametrize("what", ["terminal", "subsystem"])
def test_what_the_lab_does_not_have_is_refused(client: paramiko.SSHClient, what: str) -> None:
    with transport_of(client).open_session(timeout=PATIENCE_S) as channel:
        asks = {"terminal": channel.get_pty, "subsystem": lambda: channel.invoke_subsystem("no")}
        with pytest.raises(paramiko.SSHException):
            asks[what]()


# Files


def test_files_and_commands_see_the_same_folder(
    client: paramiko.SSHClient, files: paramiko.SFTPClient
) -> None:
    files.putfo(io.BytesIO(b"content"), "put")
    assert run(client, "cat put; printf made > made") == b"content"
    with files.open("/made") as made:
        assert made.read() == b"made"


def test_a_file_is_made_only_if_it_is_new_and_replaced_in_one_step(
    files: paramiko.SFTPClient,
) -> None:
    for name in ("one", "two"):
        with files.open(name, "wx") as file:
            file.write(name)
        with pytest.raises(OSError, match="exists"):
            files.open(name, "wx")
    files.posix_rename("one", "two")
    with files.open("two") as file:
        assert file.read() == b"one"


def test_no_path_leads_out_of_the_folder(lab: Lab, files: paramiko.SFTPClient) -> None:
    assert files.normalize("../../..") == "/"
    for path in ("../../id_ed25519", str(lab.private_key), "/etc/passwd"):
        with pytest.raises(FileNotFoundError):
            files.open(path)


@pytest.mark.parametrize("target", ["{lab}", "../..", "../../id_ed25519", "elsewhere"])
def test_a_link_that_a_command_has_made_does_not_lead_out_of_the_folder(
    lab: Lab, client: paramiko.SSHClient, files: paramiko.SFTPClient, target: str
) -> None:
    run(client, f"ln -sfn {lab.folder} elsewhere; ln -sfn {target.format(lab=lab.folder)} link")
    for attempt in (
        partial(files.open, "link"),
        partial(files.open, "link/id_ed25519"),
        partial(files.stat, "link"),
        partial(files.listdir, "link"),
        partial(files.truncate, "link/id_ed25519", 0),
        partial(files.putfo, io.BytesIO(b"x"), "link/planted"),
        partial(files.mkdir, "link/planted"),
        partial(files.rename, "link/hosts.yaml", "stolen"),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert not (lab.folder / "planted").exists()
    assert lab.inventory.exists()


@pytest.mark.parametrize("target", ["/", "/etc", "../../..", "../../id_ed25519"])
def test_a_link_that_was_made_over_sftp_points_into_the_folder(
    lab: Lab, client: paramiko.SSHClient, files: paramiko.SFTPClient, target: str
) -> None:
    run(client, "rm -f link")
    files.symlink(target, "link")
    home = lab.folder / "scratch" / "lab1"
    assert (home / "link").resolve().is_relative_to(home)


def test_opening_a_fifo_is_refused_and_stops_nobody(
    client: paramiko.SSHClient, files: paramiko.SFTPClient
) -> None:
    run(client, "mkfifo fifo")
    with pytest.raises(OSError, match="not a regular file"):
        files.open("fifo")
    assert run(client, "echo alive") == b"alive\n"


# Distance


def test_with_distance_a_login_takes_its_round_trips_and_all_bytes_arrive() -> None:
    with Lab(1, rtt_s=RTT_S) as lab:
        (host,) = Inventory.load(lab.inventory).hosts
        begun_s = time.monotonic()
        with paramiko_client(host) as client:
            round_trips = (time.monotonic() - begun_s) / RTT_S
            assert round_trips >= 4  # TCP, versions, key exchange and signature at the very least
            with client.open_sftp() as files:
                files.putfo(io.BytesIO(bytes(SIZE_BYTES)), "zeros")
            assert run(client, "wc -c < zeros").strip() == str(SIZE_BYTES).encode()
        ran = ssh(host, "tee /dev/stderr < zeros; exit 3")
        assert (ran.returncode, len(ran.stdout), len(ran.stderr)) == (3, SIZE_BYTES, SIZE_BYTES)


def test_with_distance_a_refusal_arrives_before_the_connection_closes() -> None:
    with Lab(1, rtt_s=RTT_S) as lab:
        (host,) = Inventory.load(lab.inventory).hosts
        assert (
            b"Permission denied (publickey)" in ssh(replace(host, user="nobody-here"), "x").stderr
        )


def test_with_distance_a_command_ends_when_its_client_goes_away() -> None:
    with Lab(1, rtt_s=RTT_S) as lab:
        (host,) = Inventory.load(lab.inventory).hosts
        with paramiko_client(host) as client:
            _, pid = start(client, f"echo $$; exec {FOREVER}")
        wait_until(lambda: not is_alive(pid))


# From the beginning to the end of a lab

PARENT = """
import sys
from fleetrun.lab import Lab
with Lab(2) as lab:
    print(lab.folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process_with_a_lab() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a process that has a lab until its stdin closes; yield it and the lab's folder."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def is_listening(host: Host) -> bool:
    with suppress(OSError), socket.create_connection((host.address, host.port)):
        return True
    return False


def test_leaving_a_lab_takes_all_of_it_away(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with Lab(2, folder=folder) as lab:
        hosts = Inventory.load(lab.inventory).hosts
        with paramiko_client(hosts[0]) as client:
            run(client, "mkdir -p a/b && touch a/b/c && chmod 0 a/b")
            _, pid = start(client, f"trap '' HUP INT TERM; echo $$; {FOREVER}")
            lab.__exit__(None, None, None)
            wait_until(lambda: not is_alive(pid))
    assert not folder.exists()
    assert not any(is_listening(host) for host in hosts)


def test_a_parent_that_is_killed_leaves_nothing_behind() -> None:
    with other_process_with_a_lab() as (parent, folder):
        hosts = Inventory.load(folder / "hosts.yaml").hosts
        with paramiko_client(hosts[0]) as client:
            _, pid = start(client, f"trap '' HUP INT TERM; echo $$; {FOREVER}")
            parent.kill()
            wait_until(lambda: not folder.exists())
            wait_until(lambda: not is_alive(pid))
    assert not any(is_listening(host) for host in hosts)


def test_clients_that_misbehave_are_not_heard_of_on_the_terminal() -> None:
    with other_process_with_a_lab() as (parent, folder):
        (one, other) = Inventory.load(folder / "hosts.yaml").hosts
        with socket.create_connection((one.address, one.port)) as wild:
            wild.sendall(b"GET / HTTP/1.0\r\n\r\n" + bytes(100_000))
        with socket.create_connection((one.address, one.port)) as wild:
            wild.sendall(b"SSH-2.0-wild\r\n" + b"\xff" * 1000)
        with paramiko_client(other) as client:
            start(client, f"echo $$; exec {FOREVER}")
            transport_of(client).sock.close()
        assert ssh(one, "true").returncode == 0
        said = parent.communicate(input="", timeout=PATIENCE_S)
    assert said == ("", "")
    assert parent.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_servers_that_are_told_to_end_do_so_without_a_word(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "fleetrun.lab.serve", folder, "1", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as servers:
        assert servers.stdout is not None
        (listening,) = json.loads(servers.stdout.readline())["hosts"]
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{listening['port']} {listening['host_key']}\n")
        host = Host(
            name="lab1",
            address="127.0.0.1",
            port=listening["port"],
            private_key=str(folder / "id_ed25519"),
            known_hosts=(str(known_hosts),),
        )
        with paramiko_client(host) as client:
            _, pid = start(client, f"echo $$; yes & {FOREVER}")
            servers.send_signal(number)
            said = servers.communicate(timeout=PATIENCE_S)
        wait_until(lambda: not is_alive(pid))
    assert said == (b"", b"")
    assert servers.returncode == 0
    assert not folder.exists()


def test_wait_returns_when_the_servers_were_told_to_end() -> None:
    with Lab(1) as lab:
        assert lab._child is not None
        lab._child._process.terminate()
        lab.wait()
        assert not lab.folder.exists()


def test_wait_raises_when_the_servers_have_died() -> None:
    with Lab(1) as lab:
        assert lab._child is not None
        lab._child._process.kill()
        with pytest.raises(FleetrunError, match="the lab has failed: its process ended with"):
            lab.wait()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("#!/bin/sh\necho one line >&2\necho and another >&2\nexit 1\n", "and another"),
        ("#!/bin/sh\nexit 7\n", "its process ended with status 7"),
        ("#!/bin/sh\nprintf half; exit 1\n", "its process ended with status 1"),
        ("#!/no/such/interpreter\n", "[Errno 2] No such file or directory: '{python}'"),
    ],
    ids=["says why", "says nothing", "says half", "is not there"],
)
def test_servers_that_do_not_start_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    python = tmp_path / "python"
    python.write_text(program)
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(FleetrunError) as failed, Lab(1, folder=tmp_path / "lab"):
        pass
    assert str(failed.value) == f"the lab did not start: {said.format(python=python)}"
    assert not (tmp_path / "lab").exists()


LIMITED = """
import resource
from fleetrun import FleetrunError
from fleetrun.lab import Lab
resource.setrlimit(resource.RLIMIT_NOFILE, (32, {hard}))
try:
    with Lab(100) as lab:
        print("100 hosts")
except FleetrunError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("hard", "said"),
    [(1024, "100 hosts\n"), (32, "the lab did not start: [Errno 24] Too many open files\n")],
    ids=["may be raised", "may not"],
)
def test_more_hosts_than_descriptors_are_one_sentence(hard: int, said: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED.format(hard=hard)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (ran.stdout, ran.stderr) == (said, "")
