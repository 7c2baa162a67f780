"""Rows 12, 14 and 27 to 31: from a server that speaks SSH to one that lets us in."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import ServerAccount, make_key, start_sshd, wait_until
from trial import ADDRESS, Trial, ended

from fleetrun.faults import OffScriptServer, ScriptedServer, answers, scripts
from fleetrun.hosts import Secret
from fleetrun.results import Outcome, Phase

AGENT_TIMEOUT_S = 5.0
"""How long an agent may take to answer."""
BUSY = "MaxStartups 2:100:2"


@contextlib.contextmanager
def places_taken(account: ServerAccount, count: int) -> Iterator[None]:
    """Hold so many of the server's places for those who have not logged in yet."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            sock = stack.enter_context(socket.create_connection((account.address, account.port)))
            assert sock.recv(100).startswith(b"SSH-2.0-")
        yield


@pytest.mark.fault(
    12, "MaxStartups refusal that lasts", "unreachable, phase banner, its text shown"
)
def test_row_12_a_busy_server_is_quoted_in_the_end(trial: Trial, tmp_path: Path) -> None:
    with start_sshd(tmp_path, extra=[BUSY]) as account, places_taken(account, 2):
        result = trial.run(account.host("web1", connect_timeout_s=2.0), within_s=2.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.BANNER)
    assert "Exceeded MaxStartups" in str(result.error)


@pytest.mark.fault(12, "MaxStartups refusal that passes", "ok: tried again after a random pause")
def test_row_12_a_busy_server_is_tried_again(trial: Trial, tmp_path: Path) -> None:
    with start_sshd(tmp_path, extra=[BUSY]) as account, contextlib.ExitStack() as busy:
        busy.enter_context(places_taken(account, 2))

        def relent() -> None:
            wait_until(lambda: "MaxStartups" in Path(str(account.log)).read_text())
            busy.close()

        thread = threading.Thread(target=relent)
        thread.start()
        result = trial.run(account.host("web1"), within_s=5.0)
        thread.join()
    assert result.ok, result.error


@pytest.mark.fault(12, "8 hosts behind MaxStartups 2", "all ok: fewer handshakes at once")
def test_row_12_a_crowd_gets_in_bit_by_bit(trial: Trial, tmp_path: Path) -> None:
    with start_sshd(tmp_path, extra=[BUSY]) as account:
        hosts = [account.host(f"web{n}", connect_timeout_s=30.0) for n in range(8)]
        report = trial.run_all(hosts, within_s=30.0, forks=8)
    assert report.ok, [result.error for result in report.failed]


@pytest.fixture(scope="module")
def rsa_key(sshd: ServerAccount, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 (without OpenSSH there is no ssh-keygen either)
    """A host key that old algorithms can sign with."""
    path = tmp_path_factory.mktemp("rsa") / "key"
    make_key(path, "rsa")
    return path


@pytest.mark.fault(14, "no common algorithm", "both lists named, and the option that allows it")
@pytest.mark.parametrize(
    ("kind", "lines", "theirs", "ours"),
    [
        ("cipher", ["Ciphers aes128-cbc"], "aes128-cbc", "aes128-gcm@openssh.com"),
        (
            "key exchange",
            ["KexAlgorithms diffie-hellman-group14-sha1"],
            "diffie-hellman-group14-sha1",
            "curve25519-sha256",
        ),
        ("MAC", ["Ciphers aes128-ctr", "MACs hmac-sha1"], "hmac-sha1", "hmac-sha2-256"),
        ("host key", ["HostKeyAlgorithms ssh-rsa"], "ssh-rsa", "rsa-sha2-256"),
    ],
    ids=["cipher", "key exchange", "MAC", "host key"],
)
def test_row_14_both_sides_algorithms_are_named(
    trial: Trial,
    rsa_key: Path,
    tmp_path: Path,
    kind: str,
    lines: list[str],
    theirs: str,
    ours: str,
) -> None:
    public = " ".join(rsa_key.with_suffix(".pub").read_text().split()[:2])
    with start_sshd(tmp_path, extra=[*lines, f"HostKey {rsa_key}"]) as account:
        trial.vouch(f"[{ADDRESS}]:{account.port} {public}\n")
        host = account.host("web1", known_hosts=(str(trial.known_hosts),))
        result = trial.run(host, within_s=0.0)
        old = account.host("web1", known_hosts=host.known_hosts, legacy_algorithms=True)
        allowed = trial.run(old, within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.KEX)
    assert f"no common {kind}: it offers {theirs}" in str(result.error).replace(
        ",kex-strict-s-v00@openssh.com", ""
    )
    assert ours in str(result.error)
    assert "--legacy-algorithms" in str(result.error)
    assert allowed.ok, allowed.error


@pytest.mark.fault(27, "wrong key, wrong password", "unreachable, phase auth, methods tried, once")
def test_row_27_a_refused_login_is_tried_once(trial: Trial) -> None:
    with OffScriptServer(on_login=answers.turn_away) as server:
        trial.vouch(server.known_hosts_line)
        host = trial.host(server.port, password=Secret("wrong"))
        result = trial.run(host, within_s=0.0, retries=3)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert server.logins == [("publickey", "anybody"), ("password", "anybody")]
    assert result.attempts == 1
    assert re.search(
        r"anybody was refused with key ssh-ed25519 SHA256:\S+, password", str(result.error)
    )
    assert "it takes publickey, password" in str(result.error)
    assert "wrong" not in str(result.error)


@pytest.mark.fault(27, "wrong key at a real sshd", "unreachable, phase auth, the key named")
def test_row_27_the_refused_key_is_named(trial: Trial, sshd: ServerAccount, user_key: Path) -> None:
    result = trial.run(sshd.host("web1", private_key=str(user_key)), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.AUTH)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", user_key], check=True, capture_output=True, text=True
    ).stdout.split()[1]
    assert shown in str(result.error)


# --- the agent -----------------------------------------------------------------------------------


@contextlib.contextmanager
def agent_with(folder: Path, keys: list[Path]) -> Iterator[dict[str, str]]:
    """Run an ssh-agent that has the keys, in that order; yield the environment that leads to it."""
    place = folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        wait_until(place.exists)
        environment = {"SSH_AUTH_SOCK": str(place)}
        subprocess.run(["ssh-add", "-q", *keys], check=True, env=os.environ | environment)
        yield environment
    finally:
        agent.terminate()
        agent.wait()


@pytest.fixture(scope="module")
def nine_keys(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Nine private keys that no server knows."""
    folder = tmp_path_factory.mktemp("nine")
    keys = [folder / f"key{number}" for number in range(9)]
    for key in keys:
        make_key(key)
    return keys


@pytest.mark.fault(28, "nine agent keys, the right one last", "unreachable, phase auth, and a hint")
@pytest.mark.parametrize(
    ("tries", "words"),
    [("6", "5 more keys of the ssh-agent"), ("3", "Too many authentication")],
    ids=["we stop", "the server stops"],
)
def test_row_28_too_many_agent_keys_give_a_hint(
    trial: Trial, nine_keys: list[Path], tmp_path: Path, tries: str, words: str
) -> None:
    with start_sshd(tmp_path, extra=[f"MaxAuthTries {tries}"]) as account:
        keys = [*nine_keys, Path(account.private_key)]
        with agent_with(tmp_path, keys) as environment:
            ran = trial.command_line(
                "exec",
                "true",
                "--format=json",
                inventory=account.host("web1", private_key=None),
                environment=environment,
                within_s=0.0,
            )
    assert ran.code == 4
    assert ended_as(ran.result) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert words in ran.result["error"]
    assert "--private-key" in ran.result["error"]


def ended_as(result: dict[str, str]) -> tuple[str, str]:
    return result["outcome"], result["phase"]


@pytest.mark.fault(28, "an agent with the right key", "ok")
def test_row_28_an_agent_s_key_logs_in(
    trial: Trial, sshd: ServerAccount, nine_keys: list[Path], tmp_path: Path
) -> None:
    keys = [*nine_keys[:4], Path(sshd.private_key)]
    with agent_with(tmp_path, keys) as environment:
        host = sshd.host("web1", private_key=None)
        ran = trial.command_line(
            "exec", "true", inventory=host, environment=environment, within_s=0.0
        )
    assert ran.code == 0, ran.err


@pytest.fixture
def hung_agent(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An agent that takes connections and never says a word."""
    place = tmp_path / "hung"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place))
        sock.listen(64)
        yield {"SSH_AUTH_SOCK": str(place)}


@pytest.mark.fault(29, "hung agent", "unreachable, phase auth, in time")
def test_row_29_a_hung_agent_is_not_waited_for(
    trial: Trial, sshd: ServerAccount, hung_agent: dict[str, str]
) -> None:
    ran = trial.command_line(
        "exec",
        "true",
        "--format=json",
        inventory=sshd.host("web1", private_key=None),
        environment=hung_agent,
        within_s=AGENT_TIMEOUT_S,
    )
    assert ran.code == 4
    assert ended_as(ran.result) == (Outcome.UNREACHABLE, Phase.AUTH)


@pytest.mark.fault(29, "hung agent, and a key that is named", "ok: the agent is not asked")
def test_row_29_a_named_key_does_without_the_agent(
    trial: Trial, sshd: ServerAccount, hung_agent: dict[str, str]
) -> None:
    ran = trial.command_line(
        "exec", "true", inventory=sshd.host("web1"), environment=hung_agent, within_s=0.0
    )
    assert ran.code == 0, ran.err


# --- key files -----------------------------------------------------------------------------------


def _missing(_key: Path) -> None:
    pass


def _folder(key: Path) -> None:
    key.mkdir()


def _public(key: Path) -> None:
    make_key(key.with_name("other"))
    key.write_bytes(key.with_name("other.pub").read_bytes())
    key.chmod(0o600)


def _encrypted(key: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "right", "-f", str(key)]
    subprocess.run(command, check=True)


def _world_readable(key: Path) -> None:
    make_key(key)
    key.chmod(0o644)


def _garbage(key: Path) -> None:
    key.write_bytes(os.urandom(400))
    key.chmod(0o600)


@pytest.mark.fault(
    30,
    "key file missing, a folder, public, encrypted, wrong passphrase, world-readable, garbage",
    "one error before any connection, exit code 2",
)
@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        pytest.param(_missing, (), "no such file", id="missing"),
        pytest.param(_folder, (), "is a folder", id="folder"),
        pytest.param(_public, (), "is a public key", id="public"),
        pytest.param(_encrypted, (), "passphrase", id="encrypted"),
        pytest.param(
            _encrypted, ("--key-passphrase-file", "wrong"), "does not open", id="wrong passphrase"
        ),
        pytest.param(_world_readable, (), "chmod 600", id="world-readable"),
        pytest.param(_garbage, (), "private key", id="garbage"),
    ],
)
@pytest.mark.usefixtures("sshd")  # without OpenSSH there is no ssh-keygen either
def test_row_30_an_unusable_key_file_is_one_error(
    trial: Trial,
    tmp_path: Path,
    make: Callable[[Path], None],
    options: tuple[str, ...],
    words: str,
) -> None:
    key = tmp_path / "id"
    make(key)
    (tmp_path / "wrong").write_text("wrong\n")
    given = [str(tmp_path / word) if word == "wrong" else word for word in options]
    with ScriptedServer(scripts.silent()) as server:
        host = trial.host(server.port, private_key=str(key))
        ran = trial.command_line_here("exec", "true", *given, inventory=host, within_s=0.0)
    assert ran.code == 2
    assert server.visits == 0
    assert ran.out == b""
    assert str(key) in ran.err
    assert words in ran.err
    assert ran.err.lower().count("error") == 1


@pytest.mark.fault(30, "an encrypted key and its passphrase", "ok")
def test_row_30_the_right_passphrase_opens_the_key(
    trial: Trial, sshd: ServerAccount, tmp_path: Path
) -> None:
    key = tmp_path / "id"
    key.write_bytes(Path(sshd.private_key).read_bytes())
    key.chmod(0o600)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "right", "-f", str(key)]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    (tmp_path / "right").write_text("right\n")
    ran = trial.command_line(
        "exec",
        "true",
        "--key-passphrase-file",
        str(tmp_path / "right"),
        inventory=sshd.host("web1", private_key=str(key)),
        within_s=0.0,
    )
    assert ran.code == 0, ran.err


# --- two factors ---------------------------------------------------------------------------------


@pytest.mark.fault(31, "key and password both needed, and given", "ok")
def test_row_31_a_key_and_a_password_together_get_in(trial: Trial) -> None:
    with OffScriptServer(on_login=answers.want_key_and_password("right")) as server:
        trial.vouch(server.known_hosts_line)
        result = trial.run(trial.host(server.port, password=Secret("right")), within_s=0.0)
    assert result.ok, result.error
    assert [method for method, _ in server.logins] == ["publickey", "password"]


@pytest.mark.fault(31, "key and password both needed, key given", 'unreachable, "a second factor"')
def test_row_31_a_missing_second_factor_is_named(trial: Trial, tmp_path: Path) -> None:
    lines = ["PasswordAuthentication yes", "AuthenticationMethods publickey,password"]
    with start_sshd(tmp_path, extra=lines) as account:
        result = trial.run(account.host("web1"), within_s=0.0)
    assert ended(result) == (Outcome.UNREACHABLE, Phase.AUTH)
    assert "wants a second factor; it takes password" in str(result.error)
