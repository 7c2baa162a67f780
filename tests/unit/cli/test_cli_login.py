"""Secrets on their way in: by prompt, by file, never by argument, and never out again."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import taken_secrets
from command_line import CommandLine
from taken_secrets import TakingConnect, taken
from terminal import Terminal

from fleetrun.executors import Mode

CANARY = "c4nary-Ünlike-any-other"
HOSTS = ("-i", "h1,h2,h3,")
SCRIPT = Path(taken_secrets.__file__)

every_mode = pytest.mark.parametrize("mode", list(Mode), ids=str)


@pytest.fixture
def given(fleetrun: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001 (first)
    """The file in which a fake fleet writes down the secrets that hosts are given."""
    file = Path.cwd() / "given"
    monkeypatch.setattr("fleetrun.fleet.SshConnect", lambda: TakingConnect(file))
    return file


@pytest.fixture
def at_terminal(tmp_path: Path) -> Callable[..., Terminal]:
    """Call the command line at a terminal, with the fake fleet; its JSON goes to a file."""

    def call(*words: str | Path) -> Terminal:
        command = [sys.executable, SCRIPT, tmp_path / "given", *words]
        environment = {"PYTHONPATH": os.pathsep.join([str(SCRIPT.parent), *sys.path])}
        return Terminal(
            command, folder=tmp_path, environment=environment, stdout=tmp_path / "out.json"
        )

    return call


@pytest.fixture
def encrypted_key(tmp_path: Path) -> Path:
    """A private key that the canary opens."""
    return _encrypted(tmp_path / "id")


def _encrypted(key: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", CANARY, "-C", "test", "-f", key]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return key


# --- asked for at a terminal ---------------------------------------------------------------------


@every_mode
@pytest.mark.parametrize(
    ("options", "question", "field"),
    [
        pytest.param(["-k"], "login password: ", "password", id="-k"),
        pytest.param(["-b", "-K"], "sudo password: ", "become_password", id="-K"),
        pytest.param(["--private-key", "id"], "passphrase for id: ", "key_passphrase", id="key"),
    ],
)
@pytest.mark.usefixtures("encrypted_key")
def test_a_secret_is_asked_for_once_and_shown_nowhere(
    at_terminal: Callable[..., Terminal],
    tmp_path: Path,
    mode: Mode,
    options: list[str],
    question: str,
    field: str,
) -> None:
    words = ["exec", *HOSTS, *options, "true", f"--mode={mode}", "--format=json", "-v"]
    with at_terminal(*words, "--debug-log", tmp_path / "debug.log") as terminal:
        terminal.wait_for(question)
        assert not terminal.echoes
        terminal.type(f"{CANARY}\n")
        assert terminal.wait() == 0
        assert terminal.echoes
    assert terminal.shown.count(question.encode()) == 1
    assert {secrets[field] for secrets in taken(tmp_path / "given").values()} == {CANARY}
    document = (tmp_path / "out.json").read_text()
    assert len(json.loads(document)["results"]) == 3
    for text in (terminal.shown.decode(), document, (tmp_path / "debug.log").read_text()):
        assert CANARY not in text
        assert json.dumps(CANARY)[1:-1] not in text


def test_all_three_secrets_are_asked_for_in_the_order_of_their_use(
    at_terminal: Callable[..., Terminal], tmp_path: Path, encrypted_key: Path
) -> None:
    with at_terminal("exec", *HOSTS, "-bkK", "--private-key", encrypted_key, "true") as terminal:
        terminal.wait_for("login password: ")
        terminal.type("first\n")
        terminal.wait_for(f"passphrase for {encrypted_key}: ")
        terminal.type(f"{CANARY}\n")
        terminal.wait_for("sudo password: ")
        terminal.type("third\n")
        assert terminal.wait() == 0
    expected = {
        "password": "first",
        "key_passphrase": CANARY,
        "become_user": "root",
        "become_password": "third",
    }
    assert list(taken(tmp_path / "given").values()) == [expected] * 3


def test_each_encrypted_key_is_asked_for_once_however_it_is_spelled(
    at_terminal: Callable[..., Terminal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    one, other = _encrypted(tmp_path / "one"), _encrypted(tmp_path / "other")
    keys = {"h1": "~/one", "h2": one, "h3": other, "h4": other}
    lines = [f"    {host}: {{private_key: {key}}}" for host, key in keys.items()]
    (tmp_path / "hosts.yaml").write_text("\n".join(["all:", "  hosts:", *lines]) + "\n")
    with at_terminal("exec", "true") as terminal:
        for question in (f"passphrase for {one}: ", f"passphrase for {other}: "):
            terminal.wait_for(question)
            terminal.type(f"{CANARY}\n")
        assert terminal.wait() == 0
    assert terminal.shown.count(b"passphrase for ") == 2
    assert {each["key_passphrase"] for each in taken(tmp_path / "given").values()} == {CANARY}


def test_a_wrong_passphrase_is_one_error_and_no_second_question(
    tmp_path: Path, encrypted_key: Path
) -> None:
    command = [sys.executable, "-m", "fleetrun", "exec", *HOSTS, "true"]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    with Terminal(
        [*command, "--private-key", encrypted_key], folder=tmp_path, environment=environment
    ) as terminal:
        terminal.wait_for("passphrase for ")
        terminal.type("wrong\n")
        assert terminal.wait() == 2
    assert terminal.shown.count(b"passphrase for ") == 1
    assert b"the passphrase does not open this private key" in terminal.shown


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["-i", "missing.yaml"], id="no inventory"),
        pytest.param([*HOSTS, "-l", "h4"], id="no host"),
        pytest.param([*HOSTS, "--become-user", "-x"], id="no such user"),
    ],
)
def test_nobody_is_asked_before_all_else_has_proved_right(
    at_terminal: Callable[..., Terminal], words: list[str]
) -> None:
    with at_terminal("exec", "-kbK", *words, "true") as terminal:
        assert terminal.wait() == 2
    assert b"password: " not in terminal.shown


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        (lambda terminal: terminal.type("\x03"), 130),
        (lambda terminal: terminal.signal(signal.SIGTERM), 143),
        (lambda terminal: terminal.type("\x04"), 1),
    ],
    ids=["Ctrl-C", "SIGTERM", "Ctrl-D"],
)
def test_who_leaves_at_the_question_gets_the_terminal_back(
    at_terminal: Callable[..., Terminal],
    tmp_path: Path,
    stop: Callable[[Terminal], None],
    code: int,
) -> None:
    with at_terminal("exec", *HOSTS, "-k", "true") as terminal:
        terminal.wait_for("login password: ")
        assert terminal.wait_for_end_by(lambda: stop(terminal)) == code
        assert terminal.echoes
    assert not (tmp_path / "given").exists()
    assert b"Traceback" not in terminal.shown


# --- read from a file ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        pytest.param(b"plain\n", "plain", id="a line"),
        pytest.param(b"plain", "plain", id="no newline"),
        pytest.param(b"plain\r\nmore\r\n", "plain", id="Windows line end"),
        pytest.param(b" with spaces \n", " with spaces ", id="spaces"),
        pytest.param("zw\u2028ei\x0b\x85\n".encode(), "zw\u2028ei\x0b\x85", id="no other line end"),
    ],
)
@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param(["--password-file"], "password", id="login"),
        pytest.param(["-b", "--become-password-file"], "become_password", id="sudo"),
    ],
)
def test_a_secret_is_the_first_line_of_its_file(
    fleetrun: CommandLine,
    given: Path,
    tmp_path: Path,
    options: list[str],
    field: str,
    content: bytes,
    secret: str,
) -> None:
    (tmp_path / "secret").write_bytes(content)
    assert fleetrun("exec", *HOSTS, *options, "secret", "true").code == 0
    assert [each[field] for each in taken(given).values()] == [secret] * 3


def test_a_passphrase_is_read_from_its_file(
    fleetrun: CommandLine, given: Path, tmp_path: Path, encrypted_key: Path
) -> None:
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    ran = fleetrun(
        *("exec", *HOSTS, "--private-key", str(encrypted_key)),
        *("--key-passphrase-file", "secret", "true"),
    )
    assert ran.code == 0
    assert {each["key_passphrase"] for each in taken(given).values()} == {CANARY}


def test_a_secret_comes_through_a_pipe_as_well(
    fleetrun: CommandLine, given: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("piped\n",))
    writer.start()
    assert fleetrun("exec", *HOSTS, "--password-file", "pipe", "true").code == 0
    writer.join()
    assert {each["password"] for each in taken(given).values()} == {"piped"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "its first line should be the login password, and is empty"),
        (b"\nsecond\n", "its first line should be the login password, and is empty"),
        (b"caf\xe9\n", "the login password in it is not UTF-8"),
    ],
    ids=["empty", "empty line", "Latin-1"],
)
def test_a_file_without_a_secret_is_one_sentence(
    fleetrun: CommandLine, given: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "secret").write_bytes(content)
    ran = fleetrun("exec", *HOSTS, "--password-file", "secret", "true")
    assert (ran.code, ran.err) == (2, f"fleetrun: error: secret: {words}\n")
    assert not given.exists()


# --- what cannot be done -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "secret", "option"),
    [
        (["-k"], "login password", "--password-file"),
        (["-b", "-K"], "sudo password", "--become-password-file"),
        (["--private-key", "id"], "passphrase for id", "--key-passphrase-file"),
    ],
    ids=["-k", "-K", "key"],
)
@pytest.mark.parametrize("closed", [False, True], ids=["no terminal", "no input at all"])
@pytest.mark.usefixtures("encrypted_key")
def test_without_a_terminal_the_option_that_helps_is_named(
    fleetrun: CommandLine,
    given: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    secret: str,
    option: str,
    *,
    closed: bool,
) -> None:
    if closed:
        monkeypatch.setattr(sys, "stdin", None)
    ran = fleetrun("exec", *HOSTS, *options, "true")
    sentence = f"there is no terminal to ask for the {secret}; give it with {option}"
    assert (ran.code, ran.err) == (2, f"fleetrun: error: {sentence}\n")
    assert not given.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-k", "--password-file", "secret"], "give one of them"),
        (["-b", "-K", "--become-password-file", "secret"], "give one of them"),
        (["-K"], "of use with -b (--become) only"),
        (["--become-password-file", "secret"], "of use with -b (--become) only"),
    ],
    ids=["two ways in", "two ways to sudo", "-K alone", "its file alone"],
)
def test_options_that_say_two_things_are_refused(
    fleetrun: CommandLine, given: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    ran = fleetrun("exec", *HOSTS, *options, "true")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert words in ran.err
    assert not given.exists()


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ([], None),
        (["-b"], "root"),
        (["--become-user", "postgres"], "postgres"),
        (["-b", "--become-user", "postgres"], "postgres"),
    ],
    ids=["nobody", "-b", "--become-user", "both"],
)
def test_whom_to_become(
    fleetrun: CommandLine, given: Path, options: list[str], user: str | None
) -> None:
    assert fleetrun("exec", *HOSTS, *options, "true").code == 0
    assert {each["become_user"] for each in taken(given).values()} == {user}


@pytest.mark.parametrize("command", [["put", "file"], ["get", "file", "."]], ids=lambda it: it[0])
@pytest.mark.parametrize("option", ["-b", "--become-user=root", "-K"])
def test_files_are_copied_as_the_login_user_and_no_option_pretends_otherwise(
    fleetrun: CommandLine, given: Path, tmp_path: Path, command: list[str], option: str
) -> None:
    (tmp_path / "file").touch()
    ran = fleetrun(*command, *HOSTS, option)
    assert ran.code == 2
    assert "No such option" in ran.err
    assert not given.exists()


def test_the_log_that_could_hold_secrets_is_for_its_owner_alone(
    fleetrun: CommandLine, given: Path, tmp_path: Path
) -> None:
    fleetrun("exec", *HOSTS, "--debug-log", "log", "true")
    assert given.exists()
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
