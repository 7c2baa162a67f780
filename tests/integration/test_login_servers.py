"""Getting in and becoming somebody else, at real servers: once each, and in nobody's sight."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jobs
import pytest
from calling import environment_in, words_of, write_inventory
from login_server import LoginServer, Prompt, Round
from servers import ServerAccount, is_alive, make_key, start_sshd, wait_until
from terminal import Terminal

from fleetrun import Fleet, Host, Outcome, Phase, Result, UsageError
from fleetrun.executors import Mode
from fleetrun.faults import OffScriptServer, answers
from fleetrun.hosts import Secret
from fleetrun.operations import Exec

pytestmark = pytest.mark.long

CANARY = "c4nary-like-no-other-word"
every_mode = pytest.mark.parametrize("mode", list(Mode), ids=str)


def run(host: Host, command: str = "echo in", mode: Mode = Mode.THREADS, **options: int) -> Result:
    """Run a command on one host."""
    with Fleet([host], mode=mode, **options) as fleet:
        (result,) = fleet.exec(command)
    return result


def refused_at_login(result: Result) -> str:
    """Assert that the host let nobody in, and return why."""
    assert (result.outcome, result.phase) == (Outcome.UNREACHABLE, Phase.AUTH), result
    assert result.attempts == 1
    assert CANARY not in repr(result)
    return str(result.error)


# --- encrypted keys and certificates -------------------------------------------------------------


@pytest.fixture
def encrypted_key(sshd: ServerAccount, tmp_path: Path) -> Path:
    """The account's key, which the canary opens here."""
    key = tmp_path / "id"
    key.write_bytes(Path(sshd.private_key).read_bytes())
    key.chmod(0o600)
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", CANARY, "-f", key]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return key


@pytest.mark.sshd
@every_mode
def test_an_encrypted_key_logs_in_with_its_passphrase(
    sshd: ServerAccount, encrypted_key: Path, mode: Mode
) -> None:
    host = sshd.host("web1", private_key=str(encrypted_key), key_passphrase=Secret(CANARY))
    assert run(host, mode=mode).text == "in"


@pytest.mark.sshd
@every_mode
@pytest.mark.parametrize(
    ("passphrase", "words"),
    [
        (Secret("wrong"), "the passphrase does not open this private key"),
        (None, "the private key is encrypted, and no passphrase was given"),
    ],
    ids=["wrong", "none"],
)
def test_a_key_that_cannot_be_opened_is_told_before_any_connection(
    sshd: ServerAccount, encrypted_key: Path, mode: Mode, passphrase: Secret | None, words: str
) -> None:
    log = Path(str(sshd.log))
    before = log.read_bytes()
    host = sshd.host("web1", private_key=str(encrypted_key), key_passphrase=passphrase)
    with pytest.raises(UsageError, match=f"^{encrypted_key}: {words}$"):
        run(host, mode=mode)
    assert log.read_bytes() == before


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of an authority that certifies users."""
    key = tmp_path_factory.mktemp("authority") / "ca"
    make_key(key)
    return key


@pytest.fixture(scope="module")
def certifying_sshd(
    authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerAccount]:
    """An account on an sshd that lets in whom the authority has certified, and no plain key."""
    lines = [f"TrustedUserCAKeys {authority}.pub", "AuthorizedKeysFile none"]
    with start_sshd(tmp_path_factory.mktemp("certifying"), extra=lines) as account:
        yield account


@pytest.mark.sshd
@every_mode
def test_a_certificate_beside_the_key_logs_in(
    certifying_sshd: ServerAccount, authority: Path, tmp_path: Path, mode: Mode
) -> None:
    key = tmp_path / "id"
    make_key(key)
    host = certifying_sshd.host("web1", private_key=str(key))
    assert "it takes publickey" in refused_at_login(run(host, mode=mode))
    host = dataclasses.replace(host, private_key=str(shutil.copy(key, tmp_path / "certified")))
    shutil.copy(f"{key}.pub", tmp_path / "certified.pub")
    sign = ["ssh-keygen", "-q", "-s", authority, "-I", "test", "-n", certifying_sshd.user]
    subprocess.run([*sign, tmp_path / "certified.pub"], check=True)
    assert run(host, mode=mode).text == "in"


@pytest.mark.sshd
@pytest.mark.parametrize(
    ("options", "words"),
    [(("-V", "20200101:20200102"), "was refused"), (("-n", "somebody-else"), "was refused")],
    ids=["expired", "for somebody else"],
)
def test_a_certificate_that_is_not_good_is_refused(
    certifying_sshd: ServerAccount,
    authority: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    words: str,
) -> None:
    key = tmp_path / "id"
    make_key(key)
    names = () if "-n" in options else ("-n", certifying_sshd.user)
    sign = ["ssh-keygen", "-q", "-s", authority, "-I", "test", *names, *options]
    subprocess.run([*sign, f"{key}.pub"], check=True)
    host = certifying_sshd.host("web1", private_key=str(key))
    assert words in refused_at_login(run(host))


# --- passwords -----------------------------------------------------------------------------------


@every_mode
def test_a_password_logs_in(tmp_path: Path, mode: Mode) -> None:
    with LoginServer(tmp_path, password=CANARY) as server:
        result = run(server.host("web1", password=Secret(CANARY)), mode=mode)
    assert result.text == "in", result.error
    assert server.attempts == [("password", CANARY)]


@every_mode
def test_a_wrong_password_is_one_attempt_whatever_is_retried(tmp_path: Path, mode: Mode) -> None:
    with LoginServer(tmp_path, password="right") as server:
        result = run(server.host("web1", password=Secret(CANARY)), mode=mode, retries=3)
    assert refused_at_login(result) == ("anybody was refused with password; it takes password")
    assert server.attempts == [("password", CANARY)]


def test_a_password_is_not_sent_to_a_host_that_takes_none(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with LoginServer(tmp_path, public_key=tmp_path / "key.pub") as server:
        result = run(server.host("web1", password=Secret(CANARY)))
    assert refused_at_login(result).startswith("there is nothing to log in as anybody with; it")
    assert server.attempts == []


def test_a_password_follows_a_refused_key(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    make_key(tmp_path / "other")
    with LoginServer(tmp_path, public_key=tmp_path / "other.pub", password="right") as server:
        host = server.host("web1", private_key=str(tmp_path / "key"), password=Secret("right"))
        result = run(host)
    assert result.ok, result.error
    assert server.attempts == [("publickey", "ssh-ed25519"), ("password", "right")]


def test_a_password_is_the_second_factor_beside_a_key(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    with OffScriptServer(on_login=answers.want_key_and_password("right")) as server:
        (tmp_path / "known").write_text(server.known_hosts_line)
        host = Host(
            name="web1",
            address="127.0.0.1",
            port=server.port,
            user="anybody",
            private_key=str(tmp_path / "key"),
            known_hosts=(str(tmp_path / "known"),),
        )
        reached = run(dataclasses.replace(host, password=Secret("right")))
        refused = run(dataclasses.replace(host, password=Secret(CANARY)))
        missing = run(host)
    assert reached.ok, reached.error
    assert "password was refused as second factor" in refused_at_login(refused)
    assert "wants a second factor; it takes publickey, password" in refused_at_login(missing)
    assert [method for method, _ in server.logins] == [
        *("publickey", "password"),
        *("publickey", "password"),
        "publickey",
    ]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Talk:
    """A keyboard-interactive talk, what we answer, and how that ends: in, or with these words."""

    rounds: tuple[Round, ...]
    rounds_when_wrong: int = 0
    answered: tuple[tuple[str, ...], ...]
    words: str | None = None


def asks(*prompts: Prompt, right: Sequence[str] = (CANARY,)) -> Round:
    return Round(prompts=prompts, right=right)


PASSWORD: Prompt = ("Password: ", False)
TALKS = {
    "the password": Talk(rounds=(asks(PASSWORD),), answered=((CANARY,),)),
    "in another language": Talk(rounds=(asks(("Пароль: ", False)),), answered=((CANARY,),)),
    "a word before and after": Talk(
        rounds=(asks(right=()), asks(PASSWORD), asks(right=())), answered=((), (CANARY,), ())
    ),
    "a wrong one": Talk(
        rounds=(asks(PASSWORD, right=("other",)),),
        answered=((CANARY,),),
        words="anybody was refused with keyboard-interactive; it takes keyboard-interactive",
    ),
    "a wrong one, asked again": Talk(
        rounds=(asks(PASSWORD, right=("other",)),),
        rounds_when_wrong=3,
        answered=((CANARY,),),
        words="anybody was refused with keyboard-interactive",
    ),
    "a code": Talk(
        rounds=(asks(("Verification code: ", False)),),
        answered=(),
        words="it asks for 'Verification code: ', and a password is all that can be given",
    ),
    "a one-time password": Talk(
        rounds=(asks(("OTP for anybody: ", False)),), answered=(), words="it asks for 'OTP for"
    ),
    "something that may be seen": Talk(
        rounds=(asks(("Favourite colour: ", True)),), answered=(), words="it asks for 'Favourite"
    ),
    "password and code at once": Talk(
        rounds=(asks(PASSWORD, ("Code: ", False)),),
        answered=(),
        words="it asks for 'Password: ', 'Code: ', and",
    ),
    "password, then code": Talk(
        rounds=(asks(PASSWORD), asks(("Code: ", False))),
        answered=((CANARY,),),
        words="it asks for 'Code: ', and",
    ),
}


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_the_password_is_said_once_and_only_when_it_is_asked_for(
    tmp_path: Path, talk: Talk
) -> None:
    with LoginServer(
        tmp_path, talk=talk.rounds, rounds_when_wrong=talk.rounds_when_wrong
    ) as server:
        result = run(server.host("web1", password=Secret(CANARY)), retries=2)
    if talk.words is None:
        assert result.text == "in", result.error
    else:
        assert refused_at_login(result).startswith(talk.words)
    assert server.attempts == [("keyboard-interactive", *words) for words in talk.answered]


def test_a_talk_that_a_host_prefers_is_not_tried_after_a_refused_password(tmp_path: Path) -> None:
    with LoginServer(tmp_path, password="right", talk=[asks(PASSWORD)]) as server:
        refused_at_login(run(server.host("web1", password=Secret(CANARY))))
    assert server.attempts == [("password", CANARY)]


# --- sudo ----------------------------------------------------------------------------------------

_SUDO = """\
#!%(python)s
import os, sys
given = sys.argv[1:]
log = open(%(log)r, "a")
print(*given, sep="|", file=log)
prompt, at = None, 0
while given[at] != "--":
    if given[at] == "-p":
        prompt, at = given[at + 1], at + 1
    elif given[at] == "-u":
        user, at = given[at + 1], at + 1
    at += 1
right = None if not os.path.exists(%(right)r) else open(%(right)r).read()
if right is not None and "-n" in given:
    sys.exit("sudo: a password is required")
if os.isatty(0):
    import termios
    modes = termios.tcgetattr(0)
    modes[3] &= ~termios.ECHO
    termios.tcsetattr(0, termios.TCSANOW, modes)
for _ in range(3 if right is not None else 0):
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = b""
    while not line.endswith(b"\\n"):
        char = os.read(0, 1)
        if not char:
            sys.exit("sudo: no password was provided")
        line += char
    print("read", line.decode().strip() == right, file=log)
    if line.decode().strip() == right:
        break
    sys.stderr.write("Sorry, try again.\\n")
else:
    if right is not None:
        sys.exit("sudo: 3 incorrect password attempts")
log.close()
os.environ["BECAME"] = user
os.execvp(given[at + 1], given[at + 1:])
"""


@dataclasses.dataclass(frozen=True)
class Sudoer:
    """An account on an sshd whose PATH begins with a sudo that writes down what it is asked."""

    account: ServerAccount
    log: Path

    def host(self, **changes: str | Secret | None) -> Host:
        """Return the host, on which commands run as www."""
        return self.account.host("web1", **{"become_user": "www", **changes})

    @property
    def passwords_read(self) -> list[bool]:
        """Whether each password that it has read was right."""
        lines = self.log.read_text().splitlines()
        return [line == "read True" for line in lines if line.startswith("read ")]


@pytest.fixture
def start_sudoer(tmp_path: Path) -> Iterator[Callable[[str | None], Sudoer]]:
    """Start an sshd whose sudo wants that password; None when it wants none."""
    programs = tmp_path / "bin"
    programs.mkdir()
    log = tmp_path / "sudo.log"
    log.touch()
    right = tmp_path / "right"
    names = {"python": sys.executable, "log": str(log), "right": str(right)}
    (programs / "sudo").write_text(_SUDO % names)
    (programs / "sudo").chmod(0o755)
    with contextlib.ExitStack() as stack:

        def start(password: str | None) -> Sudoer:
            if password is not None:
                right.write_text(password)
            path = os.pathsep.join((str(programs), os.environ["PATH"]))
            account = stack.enter_context(start_sshd(tmp_path, [f"SetEnv PATH={path}"]))
            return Sudoer(account, log)

        yield start


SHOWS_ALL = 'printf "%s in " "$BECAME"; cat; printf "and err\\n" >&2'


@pytest.mark.sshd
@every_mode
def test_sudo_is_given_its_password_and_the_command_its_input(
    start_sudoer: Callable[[str | None], Sudoer], mode: Mode
) -> None:
    sudoer = start_sudoer(CANARY)
    host = sudoer.host(become_password=Secret(CANARY))
    with Fleet([host], mode=mode) as fleet:
        (result,) = fleet.exec(SHOWS_ALL, stdin=b"lines\nof input")
    assert (result.exit_status, result.stdout, result.stderr) == (
        0,
        b"www in lines\nof input",
        b"and err\n",
    )
    assert sudoer.passwords_read == [True]
    assert CANARY not in sudoer.log.read_text()


@pytest.mark.sshd
@every_mode
def test_a_wrong_sudo_password_is_given_once_and_the_input_never(
    start_sudoer: Callable[[str | None], Sudoer], mode: Mode
) -> None:
    sudoer = start_sudoer("right")
    host = sudoer.host(become_password=Secret(CANARY))
    with Fleet([host], mode=mode) as fleet:
        (result,) = fleet.exec(SHOWS_ALL, stdin=b"right\nright\n")
    assert (result.outcome, result.phase) == (Outcome.FAILED, Phase.RUN)
    assert result.error == "sudo did not take the password (to become www)"
    assert result.stdout == b""
    assert CANARY.encode() not in result.stderr
    assert b"fleetrun-" not in result.stderr
    assert sudoer.passwords_read == [False]


@pytest.mark.sshd
def test_a_wrong_sudo_password_ends_a_command_with_a_terminal_too(
    start_sudoer: Callable[[str | None], Sudoer],
) -> None:
    sudoer = start_sudoer("right")
    host = sudoer.host(become_password=Secret(CANARY), command_timeout_s=20.0)
    result = jobs.run(host, Exec(command=SHOWS_ALL, stdin=b"right\nright\n", pty=True))
    assert result.error == "sudo did not take the password (to become www)"
    assert CANARY.encode() not in result.stdout
    assert sudoer.passwords_read == [False]


@pytest.mark.sshd
@pytest.mark.parametrize("password", [None, CANARY], ids=["none given", "one given"])
def test_a_sudo_that_does_not_ask_is_told_nothing(
    start_sudoer: Callable[[str | None], Sudoer], password: str | None
) -> None:
    sudoer = start_sudoer(None)
    host = sudoer.host(become_password=None if password is None else Secret(password))
    with Fleet([host]) as fleet:
        (result,) = fleet.exec(SHOWS_ALL, stdin=b"input")
    assert (result.stdout, result.stderr) == (b"www in input", b"and err\n")
    assert sudoer.passwords_read == []


@pytest.mark.sshd
def test_a_sudo_that_would_ask_is_not_waited_for_without_a_password(
    start_sudoer: Callable[[str | None], Sudoer],
) -> None:
    sudoer = start_sudoer("right")
    result = run(sudoer.host())
    assert (result.outcome, result.exit_status) == (Outcome.FAILED, 1)
    assert result.stderr == b"sudo: a password is required\n"
    assert sudoer.passwords_read == []


@pytest.mark.sshd
def test_any_line_of_shell_is_the_other_users_as_it_stands(
    start_sudoer: Callable[[str | None], Sudoer],
) -> None:
    sudoer = start_sudoer(CANARY)
    host = sudoer.host(become_password=Secret(CANARY))
    for line, output in {
        'echo "it\'s $BECAME"': "it's www",
        "echo one; echo two # three": "one\ntwo",
        "cat <<END\n$BECAME\nEND": "www",
        "if true; then echo yes; fi": "yes",
        "echo 'a  b' | tr -s ' '": "a b",
        "printf '%s' \\$HOME": "$HOME",
    }.items():
        assert run(host, line).text == output


@pytest.mark.sshd
def test_a_status_and_a_time_limit_pass_through_sudo(
    start_sudoer: Callable[[str | None], Sudoer],
) -> None:
    sudoer = start_sudoer(CANARY)
    host = sudoer.host(become_password=Secret(CANARY))
    assert run(host, "exit 7").exit_status == 7
    limited = Exec(command="echo begun; sleep 100", remote_timeout_s=0.5)
    with Fleet([host]) as fleet:
        (result,) = (event.result for event in fleet.events(limited) if hasattr(event, "result"))
    assert (result.exit_status, result.stdout) == (124, b"begun\n")


@pytest.mark.sshd
@pytest.mark.parametrize("limit_s", [None, 500.0], ids=["plain", "with a time limit there"])
def test_what_is_said_to_be_killed_under_sudo_is_dead(
    start_sudoer: Callable[[str | None], Sudoer], tmp_path: Path, limit_s: float | None
) -> None:
    sudoer = start_sudoer(CANARY)
    host = dataclasses.replace(sudoer.host(become_password=Secret(CANARY)), command_timeout_s=2.0)
    number = tmp_path / "number"
    operation = Exec(
        command=f"echo $$ > {shlex.quote(str(number))}; exec sleep 600",
        remote_timeout_s=limit_s,
        confirm_kill=True,
    )
    with Fleet([host]) as fleet:
        (result,) = (event.result for event in fleet.events(operation) if hasattr(event, "result"))
    assert result.outcome is Outcome.TIMEOUT
    alive = is_alive(int(number.read_text()))
    assert (result.killed, alive) in {(True, False), (False, True), (False, False)}
    assert result.may_still_run == (not result.killed)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("sudo") is None,
    reason="the real sudo asks root for nothing, and others for a password that a test has not got",
)
@pytest.mark.sshd
@pytest.mark.parametrize("password", [None, CANARY], ids=["-n", "-S"])
def test_the_real_sudo_takes_what_we_ask_of_it(sshd: ServerAccount, password: str | None) -> None:
    secret = None if password is None else Secret(password)
    result = run(sshd.host("web1", become_user="nobody", become_password=secret), "id -un; cat")
    assert (result.text, result.stderr) == ("nobody", b"")


# --- in nobody's sight ---------------------------------------------------------------------------


@pytest.mark.sshd
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
@every_mode
def test_no_secret_is_in_sight_anywhere(
    start_sudoer: Callable[[str | None], Sudoer], tmp_path: Path, mode: Mode
) -> None:
    canary = f"c4nary-{secrets.token_hex(8)}"  # other tests run at the same time
    password, passphrase, sudo = (f"{canary}-{what}" for what in ("login", "key", "sudo"))
    sudoer = start_sudoer(sudo)
    account = sudoer.account
    key = tmp_path / "id"
    shutil.copy(account.private_key, key)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", key]
    subprocess.run(change, check=True, stdout=subprocess.DEVNULL)
    hosts = [account.host(f"web{number}", private_key=str(key)) for number in range(3)]
    write_inventory(tmp_path / "hosts.yaml", *hosts)
    begun = tmp_path / "begun"
    begun.mkdir()
    command = (
        f"touch {shlex.quote(str(begun))}/$$; while [ ! -e {shlex.quote(str(tmp_path))}/go ]; "
        "do sleep 0.05; done; echo done"
    )
    words = words_of("exec", "-kbK", f"--mode={mode}", "-v", "--format=json", "--forks=3")
    words += ["--debug-log", "debug.log", "--", command]
    with Terminal(
        words, folder=tmp_path, environment=environment_in(tmp_path), stdout=tmp_path / "out"
    ) as terminal:
        for question, secret in (
            ("login password: ", password),
            (f"passphrase for {key}: ", passphrase),
            ("sudo password: ", sudo),
        ):
            terminal.wait_for(question)
            terminal.type(f"{secret}\n")
        wait_until(lambda: any(begun.iterdir()))
        seen = _seen_of_every_process()
        (tmp_path / "go").touch()
        assert terminal.wait() == 0
    assert "--debug-log" in seen  # the run's own command line is among them
    document = (tmp_path / "out").read_text()
    assert [each["stdout"] for each in json.loads(document)["results"]] == ["done\n"] * 3
    log = (tmp_path / "debug.log").read_text()
    assert "fleetrun.ssh.transport" in log
    for text in (seen, document, log, terminal.shown.decode(), sudoer.log.read_text()):
        assert canary not in text


def _seen_of_every_process() -> str:
    """Return the arguments and the environment of every process of this machine, as far as seen."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found.append((process / name).read_bytes())
            except OSError:
                continue
    return b"\n".join(found).replace(b"\0", b" ").decode(errors="replace")
