"""`fleetrun keys`, with hosts that show keys out of memory: what is shown, asked and written."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import taken_secrets
from command_line import CommandLine
from terminal import Terminal

from fleetrun.errors import ConnectError
from fleetrun.executors import Mode
from fleetrun.hosts import Host
from fleetrun.results import Phase
from fleetrun.session import Cancel, OnPhase
from fleetrun.ssh.hostkeys import known_name
from fleetrun.ssh.known_hosts import HostKey
from fleetrun.ssh.scan import ScanSession


def made_up(seed: str, key_type: str = "ssh-ed25519") -> HostKey:
    """Return a key that nobody has: the same for the same seed."""
    strings = (key_type.encode(), hashlib.sha256(seed.encode()).digest())
    return HostKey(
        key_type=key_type, blob=b"".join(len(each).to_bytes(4) + each for each in strings)
    )


def line(name: str, key: HostKey) -> str:
    return f"{name} {key.key_type} {base64.b64encode(key.blob).decode()}\n"


A, B = made_up("a"), made_up("b")
A_RSA, B_RSA = made_up("a", "ssh-rsa"), made_up("b", "ssh-rsa")
A_ECDSA = made_up("a", "ecdsa-sha2-nistp256")


@dataclass(frozen=True)
class ShowingConnect:
    """Hosts that show these keys; others cannot be reached."""

    keys: Mapping[str, tuple[HostKey, ...]] = field(default_factory=dict)

    def __call__(self, host: Host, on_phase: OnPhase, cancel: Cancel) -> ScanSession:
        """Show the host's keys."""
        on_phase(Phase.CONNECT)
        if cancel.pressed or host.name not in self.keys:
            raise ConnectError("connection refused")
        on_phase(Phase.HOSTKEY)
        return ScanSession(host, self.keys[host.name])


Shows = Callable[..., None]


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch, fleetrun: CommandLine) -> Shows:  # noqa: ARG001 (first)
    """Say which keys hosts show, by name."""

    def show(**keys: tuple[HostKey, ...]) -> None:
        monkeypatch.setattr("fleetrun.cli.opening.SshScan", lambda: ShowingConnect(keys))

    return show


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def keys(verb: str, *more: str, hosts: str = "h1,") -> tuple[str, ...]:
    return ("keys", verb, "-i", hosts, "--known-hosts", "known_hosts", *more)


# --- scan ----------------------------------------------------------------------------------------

STANDINGS = {
    "new": ("", "new", None, 0),
    "known": (line("h1", A), "known", 1, 0),
    "changed": (f"# ours\n{line('h1', B)}", "CHANGED", 2, 1),
    "revoked": (line("h1", A) + line("@revoked *", A), "REVOKED", 2, 1),
    "known beside another": (line("h1", B) + line("h1", A), "known", 2, 0),
    "known by another type": (line("h1", B_RSA), "CHANGED", 1, 1),
}


@pytest.mark.parametrize("case", STANDINGS.values(), ids=STANDINGS)
@pytest.mark.parametrize("mode", list(Mode), ids=str)
def test_a_scan_tells_how_a_key_stands_and_writes_nothing(
    fleetrun: CommandLine,
    shows: Shows,
    known_hosts: Path,
    case: tuple[str, str, int | None, int],
    mode: Mode,
) -> None:
    content, standing, number, code = case
    known_hosts.write_text(content)
    shows(h1=(A,))
    ran = fleetrun(*keys("scan", f"--mode={mode}"))
    assert ran.code == code
    head, row = ran.out.splitlines()
    assert head.split() == ["HOST", "STANDING", "TYPE", "FINGERPRINT", "KNOWN_HOSTS", "LINE"]
    place = [] if number is None else [f"known_hosts:{number}"]
    assert row.split() == ["h1", standing, "ssh-ed25519", A.fingerprint, *place]
    assert known_hosts.read_text() == content


def test_another_type_beside_a_known_key_is_new(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path
) -> None:
    known_hosts.write_text(line("h1", A))
    shows(h1=(A, A_RSA))
    ran = fleetrun(*keys("scan"))
    assert [row.split()[1:3] for row in ran.out.splitlines()[1:]] == [
        ["known", "ssh-ed25519"],
        ["new", "ssh-rsa"],
    ]
    assert ran.code == 0


def test_a_document_has_the_keys_and_every_host_that_was_asked(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path
) -> None:
    known_hosts.write_text(line("h1", B))
    shows(h1=(A,), h3=(B,))
    ran = fleetrun(*keys("scan", "--format", "json", hosts="h1,h2,h3,"))
    assert ran.code == 4
    document = json.loads(ran.out)
    assert document["keys"] == [
        {
            "host": "h1",
            "standing": "CHANGED",
            "key_type": "ssh-ed25519",
            "fingerprint": A.fingerprint,
            "place": "known_hosts:1",
        },
        {
            "host": "h3",
            "standing": "new",
            "key_type": "ssh-ed25519",
            "fingerprint": B.fingerprint,
            "place": None,
        },
    ]
    assert [(each["host"], each["outcome"]) for each in document["results"]] == [
        ("h1", "ok"),
        ("h2", "unreachable"),
        ("h3", "ok"),
    ]
    assert document["results"][2]["stdout"] == line("h3", B)
    assert document["summary"]["unreachable"] == 1


def test_a_host_that_cannot_be_reached_is_told_beside_the_table(
    fleetrun: CommandLine, shows: Shows
) -> None:
    shows(h1=(A,))
    ran = fleetrun(*keys("scan", hosts="h1,h2,"))
    assert ran.code == 4
    assert "h1" in ran.out
    assert "h2: unreachable in connect: connection refused\n" in ran.err


def test_what_is_known_is_looked_for_under_address_and_port(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path
) -> None:
    known_hosts.write_text(line("[h1]:2222", A))
    shows(h1=(A,))
    assert " known " in fleetrun(*keys("scan", "--port", "2222")).out
    assert " new " in fleetrun(*keys("scan")).out


def test_a_known_hosts_that_cannot_be_read_is_told_before_any_host_is_met(
    fleetrun: CommandLine, known_hosts: Path
) -> None:
    known_hosts.mkdir()
    ran = fleetrun("keys", "scan", "-i", "127.0.0.1:1,")  # the real SshScan
    assert ran.code == 4  # there: nobody listens
    (known_hosts / "file").touch()
    (known_hosts.parent / "hosts.yaml").write_text(
        "all: {hosts: {h1: {host: 127.0.0.1, port: 1, known_hosts: known_hosts}}}\n"
    )
    ran = fleetrun("keys", "scan")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "fleetrun: error: known_hosts: cannot be read: Is a directory\n"


def test_the_debug_log_is_kept_here_too(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, tmp_path: Path
) -> None:
    known_hosts.write_text("garbage\n")
    shows(h1=(A,))
    assert fleetrun(*keys("scan", "--debug-log", "log")).code == 0
    assert "known_hosts:1: line not understood" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("option", ["--user=x", "--private-key=/dev/null", "--host-keys=off", "-k"])
def test_no_option_pretends_that_somebody_logs_in(
    fleetrun: CommandLine, shows: Shows, option: str
) -> None:
    shows(h1=(A,))
    ran = fleetrun(*keys("scan", option))
    assert ran.code == 2
    assert "No such option" in ran.err


# --- approve -------------------------------------------------------------------------------------

OTHERS = f"# ours\n\n{line('h2', B)}{line('@cert-authority *.example', B)}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What known_hosts has, what h1 shows, the options; then what it has, and the exit code."""

    before: str = OTHERS
    shown: tuple[HostKey, ...] = (A,)
    options: tuple[str, ...] = ()
    after: str
    code: int = 0
    says: str


APPROVED = {
    "new": Case(after=OTHERS + line("h1", A), says="written to known_hosts: the keys of h1"),
    "no newline at the end": Case(
        before="# ours", after="# ours\n" + line("h1", A), says="the keys of h1"
    ),
    "several types": Case(
        shown=(A, A_RSA), after=OTHERS + line("h1", A) + line("h1", A_RSA), says="the keys of h1"
    ),
    "a type beside a known one": Case(
        before=line("h1", A),
        shown=(A, A_RSA),
        after=line("h1", A) + line("h1", A_RSA),
        says="the keys of h1",
    ),
    "known": Case(before=line("h1", A), after=line("h1", A), says="nothing to add"),
    "changed": Case(before=line("h1", B), after=line("h1", B), code=1, says="nothing to add"),
    "changed, another one to be replaced": Case(
        before=line("h1", B),
        options=("--replace", "h9"),
        after=line("h1", B),
        code=2,
        says="--replace h9: no such host is selected",
    ),
    "changed, replaced": Case(
        before=OTHERS + line("h1", B) + line("h1", B_RSA),
        shown=(A, A_RSA),
        options=("--replace", "h1"),
        after=OTHERS + line("h1", A) + line("h1", A_RSA),
        says="the keys of h1",
    ),
    "one type changed, the other known": Case(
        before=line("h1", A) + line("h1", B_RSA),
        shown=(A, A_RSA),
        after=line("h1", A) + line("h1", B_RSA),
        code=1,
        says="nothing to add",
    ),
    "one type changed, another new": Case(
        before=line("h1", A) + line("h1", B_RSA),
        shown=(A, A_RSA, A_ECDSA),
        after=line("h1", A) + line("h1", B_RSA),
        code=1,
        says="nothing to add",
    ),
    "nothing to replace": Case(
        before=line("h1", A),
        options=("--replace", "h1"),
        after=line("h1", A),
        says="nothing to add",
    ),
    "replaced where it is new": Case(
        before="", options=("--replace", "h1"), after=line("h1", A), says="the keys of h1"
    ),
    "revoked": Case(
        before=line("@revoked *", A), after=line("@revoked *", A), code=1, says="nothing to add"
    ),
    "revoked, to be replaced": Case(
        before=line("@revoked *", A),
        options=("--replace", "h1"),
        after=line("@revoked *", A),
        code=1,
        says="nothing to add",
    ),
    "one revoked, another new": Case(
        before=line("@revoked *", A),
        shown=(A, A_RSA),
        after=line("@revoked *", A),
        code=1,
        says="nothing to add",
    ),
}


@pytest.mark.parametrize("case", APPROVED.values(), ids=APPROVED)
def test_new_keys_are_added_and_changed_ones_only_by_name(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, case: Case
) -> None:
    known_hosts.write_text(case.before)
    shows(h1=case.shown)
    ran = fleetrun(*keys("approve", "--yes", *case.options))
    assert known_hosts.read_text() == case.after
    assert ran.code == case.code
    assert case.says in ran.err


def test_hosts_stand_alone_a_changed_one_does_not_hold_up_the_rest(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path
) -> None:
    known_hosts.write_text(line("h1", B))
    shows(h1=(A,), h3=(B,))
    ran = fleetrun(*keys("approve", "--yes", hosts="h1,h2,h3,"))
    assert known_hosts.read_text() == line("h1", B) + line("h3", B)
    assert ran.code == 4  # h2 was not reached, which weighs more than a change
    assert "the keys of h3\n" in ran.err


def test_a_file_that_cannot_be_written_does_not_hold_up_the_rest(
    fleetrun: CommandLine, shows: Shows, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "hosts.yaml").write_text(
        "all: {hosts: {h1: {known_hosts: file/below}, h2: {known_hosts: known}}}\n"
    )
    shows(h1=(A,), h2=(B,))
    ran = fleetrun("keys", "approve", "--yes")
    assert (tmp_path / "known").read_text() == line("h2", B)
    assert ran.code == 1
    assert "fleetrun: error: h1: " in ran.err
    assert "file/below: its key cannot be written there" in ran.err
    assert "written to known_hosts: the keys of h2\n" in ran.err


def test_two_names_of_one_host_are_written_once(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "all: {vars: {host: 192.0.2.1, known_hosts: known_hosts}, hosts: {h1: , h2: }}\n"
    )
    shows(h1=(A,), h2=(A,))
    assert fleetrun("keys", "approve", "--yes").code == 0
    assert known_hosts.read_text() == line("192.0.2.1", A)


def test_two_names_of_one_address_with_different_keys_are_not_both_believed(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(
        "all: {vars: {host: 192.0.2.1, known_hosts: known_hosts}, hosts: {h1: , h2: }}\n"
    )
    shows(h1=(A,), h2=(B,))
    ran = fleetrun("keys", "approve", "--yes")
    assert ran.code == 1
    assert known_hosts.read_text() == line("192.0.2.1", A)
    assert "fleetrun: error: h2: the host key has CHANGED" in ran.err


def test_where_there_is_nobody_to_ask_nothing_is_written(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(h1=(A,))
    for stdin in (sys.stdin, None):
        monkeypatch.setattr(sys, "stdin", stdin)
        ran = fleetrun(*keys("approve"))
        assert ran.code == 2
        assert "there is no terminal to ask; look at the keys, then give --yes" in ran.err
        assert A.fingerprint in ran.out
        assert not known_hosts.exists()


def test_a_table_that_nobody_can_see_approves_nothing(
    fleetrun: CommandLine, shows: Shows, known_hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows(h1=(A,))
    monkeypatch.setattr(sys, "stdout", None)
    assert fleetrun(*keys("approve", "--yes")).code == 1
    assert not known_hosts.exists()


# --- the question --------------------------------------------------------------------------------

_AT_TERMINAL = """
import sys
import fleetrun.cli.opening, test_cli_keys
from fleetrun.cli import main
keys = {"h1": (test_cli_keys.A,), "h2": (test_cli_keys.B,)}
fleetrun.cli.opening.SshScan = lambda: test_cli_keys.ShowingConnect(keys)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "code", "written"),
    [
        pytest.param("y\n", 0, True, id="y"),
        pytest.param("yes\n", 0, True, id="yes"),
        pytest.param("maybe\ny\n", 0, True, id="asked again"),
        pytest.param("n\n", 1, False, id="n"),
        pytest.param("\n", 1, False, id="enter"),
        pytest.param("\x04", 1, False, id="Ctrl-D"),
        pytest.param("\x03", 130, False, id="Ctrl-C"),
    ],
)
@pytest.mark.parametrize("hosts", ["h1,", "h1,h2,"], ids=["one", "two"])
def test_one_question_for_all_hosts_and_yes_alone_writes(
    tmp_path: Path, known_hosts: Path, hosts: str, typed: str, code: int, *, written: bool
) -> None:
    here = str(Path(taken_secrets.__file__).parent)
    command = [sys.executable, "-c", _AT_TERMINAL, *keys("approve", hosts=hosts)]
    environment = {"PYTHONPATH": ":".join([here, *sys.path])}
    with Terminal(command, folder=tmp_path, environment=environment) as terminal:
        count = "1 host" if hosts == "h1," else "2 hosts"
        terminal.wait_for(f"Write the keys of {count} to known_hosts? [y/N]: ")
        assert A.fingerprint.encode() in terminal.shown  # seen before it is asked for
        assert not known_hosts.exists()
        assert terminal.wait_for_end_by(lambda: terminal.type(typed)) == code
    lines = [line("h1", A), line("h2", B)][: hosts.count(",")]
    assert known_hosts.exists() == written
    assert not written or known_hosts.read_text() == "".join(lines)
    assert b"Traceback" not in terminal.shown


def test_a_name_in_known_hosts_is_what_ssh_would_look_for() -> None:
    assert known_name(Host(name="h1", address="2001:db8::1", port=22)) == "2001:db8::1"
    assert known_name(Host(name="h1", address="2001:db8::1", port=2222)) == "[2001:db8::1]:2222"
