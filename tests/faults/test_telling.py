"""Rows 43, 65, 66 and 68: what a host says, what a user writes, and what nobody may read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import ServerAccount, start_sshd
from trial import Trial, ended, inventory_of

from fleetrun.faults import OffScriptServer, ScriptedServer, answers, scripts
from fleetrun.faults.answers import Answer, ExecRequest
from fleetrun.hosts import Host, Secret
from fleetrun.results import Outcome, Phase

NASTY = "\x1b[31mred\x1b]0;title\x07 \x9b2J \u202eevil\u202c over\rwritten"
"""A colour, a window's title, a C1 sequence, a bidi override, and a carriage return."""


def assert_nothing_obeyed(text: str) -> None:
    """Assert that there is nothing in the text that a terminal would obey."""
    obeyed = {
        char
        for char in text
        if (ord(char) < 32 and char not in "\n\t") or 127 <= ord(char) < 160 or char == "\u202e"
    }
    assert not obeyed, text


@pytest.mark.fault(
    43, "ESC, OSC, C1, bidi, CR in output", "spelled out on a terminal; exact in a pipe and in JSON"
)
def test_row_43_output_cannot_drive_the_terminal(
    trial: Trial, sshd: ServerAccount, tmp_path: Path
) -> None:
    (tmp_path / "nasty").write_text(NASTY + "\n")
    command = f"cat {tmp_path}/nasty; cat {tmp_path}/nasty >&2"
    host = sshd.host("web1")
    shown = trial.command_line("exec", command, inventory=host, on_terminal=True, within_s=0.0)
    assert_nothing_obeyed(shown.out.decode())
    assert shown.out.count(b"web1: \\x1b[31mred\\x1b]0;title\\x07 \\x9b2J") == 2
    piped = trial.command_line("exec", command, inventory=host, within_s=0.0)
    assert piped.out.decode() == f"web1: {NASTY}\n"
    document = trial.command_line("exec", command, "--format=json", inventory=host, within_s=0.0)
    assert document.result["stdout"] == document.result["stderr"] == NASTY + "\n"


@contextmanager
def talking(trial: Trial, where: str) -> Iterator[Host]:
    """Yield a host that says the nasty words in that place."""
    if where == "greeting":
        with ScriptedServer(scripts.saying(f"{NASTY}\r\n".encode())) as plain:
            yield trial.host(plain.port)
        return
    servers = {
        "banner": lambda: OffScriptServer(banner=NASTY, on_login=answers.turn_away),
        "goodbye": lambda: OffScriptServer(on_exec=answers.leave(NASTY)),
        "signal": lambda: OffScriptServer(on_exec=answers.die(NASTY)),
    }
    with servers[where]() as server:
        trial.vouch(server.known_hosts_line)
        yield trial.host(server.port)


@pytest.mark.fault(
    43, "the same in a host's words: greeting, banner, goodbye, signal", "spelled out, in logs too"
)
@pytest.mark.parametrize(
    ("where", "form"),
    [("greeting", "lines"), ("banner", "lines"), ("goodbye", "json"), ("signal", "json")],
)
def test_row_43_a_host_s_words_cannot_drive_the_terminal(
    trial: Trial, where: str, form: str
) -> None:
    log = trial.folder / "debug.log"
    with talking(trial, where) as host:
        options = (f"--format={form}", "--debug-log", str(log), "-v")
        ran = trial.command_line(
            "exec", "true", *options, inventory=host, on_terminal=True, within_s=0.0
        )
    assert ran.code in {1, 4}
    assert_nothing_obeyed(ran.out.decode() + log.read_text())


@pytest.mark.fault(43, "the same in a file's name", "spelled out")
def test_row_43_a_file_s_name_cannot_drive_the_terminal(
    trial: Trial, sshd: ServerAccount, tmp_path: Path
) -> None:
    missing = f"{tmp_path}/{NASTY}"
    ran = trial.command_line(
        "get",
        missing,
        str(tmp_path / "here"),
        inventory=sshd.host("web1"),
        on_terminal=True,
        within_s=0.0,
    )
    assert ran.code == 1
    assert b"no such file" in ran.out.lower()
    assert_nothing_obeyed(ran.out.decode())


# --- what a user writes --------------------------------------------------------------------------


@pytest.mark.fault(65, "host -oX, a;b, a newline, 300 characters; port 0, 65558", "exit code 2")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param('"-oProxyCommand=x":', "begins with '-'", id="option"),
        pytest.param('"a;b":', "';'", id="semicolon"),
        pytest.param('"a\\nb":', "'\\n'", id="newline"),
        pytest.param(f'"{"x" * 300}":', "300 characters", id="300 characters"),
        pytest.param("web1: {host: '-oX'}", "begins with '-'", id="address"),
        pytest.param("web1: {port: 0}", "port", id="port 0"),
        pytest.param("web1: {port: 65558}", "port", id="port 65558"),
        pytest.param("web1: {port: ssh}", "port", id="port by name"),
        pytest.param("web1: {user: '-l root'}", "begins with '-'", id="user"),
    ],
)
def test_row_65_an_odd_value_is_a_usage_error(trial: Trial, body: str, words: str) -> None:
    text = f"all:\n  hosts:\n    {body}\n"
    ran = trial.command_line_here("exec", "true", inventory=text, within_s=0.0)
    assert ran.code == 2
    assert ran.out == b""
    assert f"{trial.folder}/hosts.yaml:3: " in ran.err
    assert words in ran.err


@pytest.mark.fault(65, 'port "22", as text', "taken as the number")
def test_row_65_a_port_as_text_is_a_number(trial: Trial, sshd: ServerAccount) -> None:
    text = inventory_of(sshd.host("web1"))
    assert f'port: "{sshd.port}"' in text
    assert trial.command_line("exec", "true", inventory=text, within_s=0.0).code == 0


# --- what nobody may read ------------------------------------------------------------------------

CANARY = "tr0ub4dor-canary-3f9c"


@contextmanager
def spying(seen: list[str], *, answer: Answer, password: str) -> Iterator[OffScriptServer]:
    """Run a server that looks at every process of this machine before it answers."""

    def look(request: ExecRequest) -> None:
        listed = subprocess.run(
            ["ps", "-A", "-w", "-w", "-o", "args="], check=True, capture_output=True, text=True
        )
        seen.extend(line for line in listed.stdout.splitlines() if "fleetrun" in line)
        seen.extend(_environments())
        answer(request)

    def judge(method: str, given: str) -> answers.Verdict:
        right = method == "password" and given == password
        return answers.Verdict.ACCEPT if right else answers.Verdict.REFUSE

    with OffScriptServer(on_exec=look, on_login=judge) as server:
        yield server


def _environments() -> Iterator[str]:
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield place.read_bytes().decode(errors="replace")
        except OSError:  # not ours, or over
            continue


@pytest.mark.fault(
    66, "a canary secret in all output, logs, JSON, arguments and environments", "not found"
)
@pytest.mark.parametrize("right", [True, False], ids=["let in", "refused"])
@pytest.mark.parametrize(("where", "form"), [("file", "lines"), ("inventory", "json")])
def test_row_66_a_secret_is_nowhere_to_be_read(
    trial: Trial, *, right: bool, form: str, where: str
) -> None:
    seen: list[str] = []
    log, secret = trial.folder / "debug.log", trial.folder / "secret"
    secret.write_text(CANARY + "\n")
    with spying(seen, answer=answers.finish(3), password=CANARY if right else "another") as server:
        trial.vouch(server.known_hosts_line)
        host = trial.host(server.port)
        given = ["--password-file", str(secret)] if where == "file" else []
        ran = trial.command_line(
            "exec",
            "true",
            *given,
            f"--format={form}",
            "--debug-log",
            str(log),
            "-v",
            inventory=inventory_of(host, **({} if given else {"password": CANARY})),
            within_s=0.0,
        )
    assert ran.code == (1 if right else 4), ran.err
    assert ("password", "anybody") in server.logins, "the secret was never used"
    assert bool(seen) == right, "nobody looked at the processes"
    said = [ran.out.decode(), ran.err, log.read_text(), *seen]
    assert log.stat().st_size > 1000
    assert not any(CANARY in text for text in said)


@pytest.mark.fault(66, "a canary secret in a result and a host", "not found in their texts")
def test_row_66_a_secret_is_in_no_text_of_ours(trial: Trial) -> None:
    with OffScriptServer(on_login=answers.turn_away) as server:
        trial.vouch(server.known_hosts_line)
        host = trial.host(server.port, password=Secret(CANARY), become_password=Secret(CANARY))
        result = trial.run(host, within_s=0.0)
    assert ("password", "anybody") in server.logins
    for thing in (host, result, host.password):
        assert CANARY not in repr(thing) + str(thing) + json.dumps(thing, default=repr)


# --- login shells --------------------------------------------------------------------------------


@pytest.mark.fault(68, "noisy login shell, forced command, nologin", "output as given; clear error")
@pytest.mark.parametrize(
    ("forced", "status", "stdout", "stderr"),
    [
        pytest.param(
            'echo NOISE; echo MORE >&2; eval "$SSH_ORIGINAL_COMMAND"',
            0,
            b"NOISE\nran\n",
            b"MORE\n",
            id="noisy",
        ),
        pytest.param("echo only this; exit 7", 7, b"only this\n", b"", id="forced command"),
        pytest.param(
            "/usr/sbin/nologin", 1, b"This account is currently not available.\n", b"", id="nologin"
        ),
    ],
)
def test_row_68_what_a_login_shell_says_is_kept(
    trial: Trial, tmp_path: Path, forced: str, status: int, stdout: bytes, stderr: bytes
) -> None:
    with start_sshd(tmp_path, extra=[f"ForceCommand {forced}"]) as account:
        result = trial.run(account.host("web1"), "echo ran", within_s=0.0)
    assert ended(result) == (Outcome.FAILED if status else Outcome.OK, Phase.RUN)
    assert (result.exit_status, result.stdout, result.stderr) == (status, stdout, stderr)
    assert result.error == (f"exit status {status}" if status else None)
