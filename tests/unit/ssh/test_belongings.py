"""The operator's files: what is sent of them, and what a worker on another machine makes of it."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest
from host_key_pool import MadeKey, keygen, make_host_key, sign

from fleetrun import Host, HostKeyPolicy, Secret, home
from fleetrun.errors import AuthError, ConnectError, HostKeyError, UsageError
from fleetrun.hosts import KeysFrom
from fleetrun.session import Gathers, Prepares, WarmsUp
from fleetrun.ssh import AwaySshConnect, SshConnect, belongings, keys
from fleetrun.ssh.belongings import sent_belongings, use
from fleetrun.ssh.gathering import gather
from fleetrun.ssh.hops import hops_to
from fleetrun.ssh.hostkeys import AddHostKey, check_host_key, known_entries, offered_key_types
from fleetrun.ssh.keys import login_keys
from fleetrun.ssh.known_hosts import KnownHosts, read_known_hosts

PASSPHRASE = "open sesame"
NEW = HostKeyPolicy.ACCEPT_NEW

_Thing = TypeVar("_Thing")


@pytest.fixture(autouse=True)
def _at_home_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each test begin at home, and the next one too."""
    monkeypatch.setattr(home, "_ask_home", [])
    monkeypatch.setattr(belongings, "_sent", [])
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    keys._own_keys.cache_clear()
    keys._read_key.cache_clear()


def pickled(thing: _Thing) -> _Thing:
    """Return what arrives of a thing in another process."""
    arrived: _Thing = pickle.loads(pickle.dumps(thing))  # noqa: S301 (our own bytes)
    return arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The home folders of the operator's machine, where a test begins, and of a worker's."""

    operator: Path
    worker: Path
    patch: pytest.MonkeyPatch

    def at(self, folder: Path) -> None:
        """Go to a machine."""
        self.patch.setenv("HOME", str(folder))

    def go_away(self) -> list[object]:
        """Go to the worker's machine; return what it will have asked at home."""
        asked: list[object] = []

        def ask(question: home.Question[object]) -> object:
            asked.append(question)
            self.at(self.operator)
            try:
                answer = pickled(question).answer()
            except HostKeyError as error:
                raise pickled(error) from None
            finally:
                self.at(self.worker)
            return pickled(answer)

        self.at(self.worker)
        home.work_away(ask)
        return asked

    def send(self, *hosts: Host) -> AwaySshConnect:
        """Gather what the hosts need here, and arrive with it on the worker's machine."""
        connect = AwaySshConnect(keys_from=KeysFrom.OPERATOR).gathered(hosts)
        self.go_away()
        arrived = pickled(connect)
        arrived.warm_up()
        return arrived


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    """Return the two machines; the test is at the operator's."""
    for name in ("operator", "worker"):
        (tmp_path / name / ".ssh").mkdir(parents=True)
    made = Machines(operator=tmp_path / "operator", worker=tmp_path / "worker", patch=monkeypatch)
    made.at(made.operator)
    return made


def key_in(folder: Path, name: str = "id_ed25519") -> MadeKey:
    return make_host_key(folder / ".ssh" / name)


def encrypted(key: MadeKey) -> MadeKey:
    keygen("-q", "-p", "-a", "1", "-N", PASSPHRASE, "-f", str(key.path))
    return key


def offered(host: Host) -> list[str]:
    return [key.fingerprint for key in login_keys(host).keys]


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- keys ----------------------------------------------------------------------------------------


def test_the_operators_key_is_used_and_the_workers_own_is_not(machines: Machines) -> None:
    key = key_in(machines.operator)
    key_in(machines.worker)
    key_in(machines.worker, "id_rsa")
    before = everything_in(machines.worker)
    host = Host(name="web1")
    machines.send(host)
    assert offered(host) == [key.public.fingerprint]
    assert everything_in(machines.worker) == before


def test_what_was_read_here_is_not_taken_for_what_was_sent(machines: Machines) -> None:
    """One path, three files: of the worker, sent, and sent another time."""
    path = "~/.ssh/key"
    host = Host(name="web1", private_key=path)
    found = []
    machines.at(machines.worker)
    expected = [key_in(machines.worker, "key").public.fingerprint]
    found += offered(host)
    machines.at(machines.operator)
    for _ in range(2):
        expected.append(key_in(machines.operator, "key").public.fingerprint)
        use(gather([host]))
        found += offered(host)
        belongings._sent.clear()
        Path(path).expanduser().unlink()
    assert found == expected


def test_a_named_key_goes_with_its_passphrase_and_the_certificate_beside_it(
    machines: Machines,
) -> None:
    key = key_in(machines.operator, "deploy")
    certificate = sign(make_host_key(machines.operator / "authority"), key, host=False)
    encrypted(key)
    host = Host(name="web1", private_key="~/.ssh/deploy", key_passphrase=Secret(PASSPHRASE))
    machines.send(host)
    (found,) = login_keys(host).keys
    assert found.public_blob.key_blob == certificate.blob
    with pytest.raises(AuthError, match="no passphrase"):
        login_keys(replace(host, key_passphrase=None))


def test_certificates_that_hosts_name_go_along(machines: Machines) -> None:
    key = key_in(machines.operator)
    certificate = sign(make_host_key(machines.operator / "authority"), key, host=False)
    beside = key.path.with_name("id_ed25519-cert.pub")
    beside.rename(machines.operator / "elsewhere")
    (machines.operator / "garbage").write_text("garbage")
    host = Host(name="web1", certificate_files=("~/elsewhere", "~/garbage", "~/missing"))
    machines.send(host)
    first, second = login_keys(host).keys
    assert first.public_blob.key_blob == certificate.blob
    assert second.public_blob is None


def test_no_agent_is_asked_where_keys_were_sent(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_in(machines.operator)
    host = Host(name="web1")
    machines.send(host)
    monkeypatch.setattr(keys, "agent_keys", lambda _where: pytest.fail("it was asked"))
    assert "keys of an ssh-agent are not sent" in login_keys(host).hint
    assert login_keys(replace(host, identity_agent=None)).hint == ""


def test_why_a_key_was_not_sent_is_told_when_the_login_is_refused(machines: Machines) -> None:
    key_in(machines.operator)
    key_in(machines.operator, "open").path.chmod(0o644)
    encrypted(key_in(machines.operator, "locked"))
    files = ("~/.ssh/open", "~/.ssh/locked", "~/.ssh/missing", "~/.ssh/id_ed25519")
    host = Host(name="web1", identity_files=files, identity_agent=None)
    arrived = machines.send(host)
    hint = login_keys(host).hint
    assert "not offered: ~/.ssh/open: others may read" in hint
    assert "not offered: ~/.ssh/locked: the private key is encrypted" in hint
    assert "missing" not in hint
    assert arrived.belongings is not None
    sent = arrived.belongings.files
    assert [sent[file].content for file in files[:2]] == [None, None]


@pytest.mark.parametrize("has", ["nothing", "an encrypted key", "a public key"])
def test_a_host_that_is_left_with_an_agent_alone_is_an_error_before_the_run(
    machines: Machines, has: str
) -> None:
    if has != "nothing":
        key = key_in(machines.operator)
        encrypted(key)
    if has == "a public key":
        key.path.write_bytes(key.path.with_name("id_ed25519.pub").read_bytes())
    connect = AwaySshConnect(keys_from=KeysFrom.OPERATOR)
    for act in (connect.prepare, connect.gathered):
        with pytest.raises(UsageError, match=r"host 'web2'.*--private-key.*--keys-from worker"):
            act([Host(name="web1", password=Secret("it")), Host(name="web2")])
    connect.prepare([Host(name="web1", password=Secret("it"))])


def test_a_named_key_that_cannot_be_used_is_an_error_before_the_run(machines: Machines) -> None:
    encrypted(key_in(machines.operator, "key"))
    connect = AwaySshConnect(keys_from=KeysFrom.OPERATOR)
    wrong = {"missing": None, "key": None, ".ssh/key": Secret("wrong")}
    for path, passphrase in wrong.items():
        host = Host(name="web1", private_key=f"~/{path}", key_passphrase=passphrase)
        for act in (connect.prepare, connect.gathered):
            with pytest.raises(UsageError, match=path):
                act([host])


def test_nothing_of_the_operators_is_looked_at_when_workers_have_their_own(
    machines: Machines,
) -> None:
    own = key_in(machines.worker, "key")
    key_in(machines.operator).path.chmod(0o644)
    host = Host(name="web1", private_key="~/.ssh/key")
    connect = AwaySshConnect(keys_from=KeysFrom.WORKER)
    connect.prepare([host])
    assert connect.gathered([host]) is connect
    machines.go_away()
    pickled(connect).warm_up()
    assert sent_belongings() is None
    assert offered(host) == [own.public.fingerprint]


def test_at_home_files_are_files_whatever_was_gathered(machines: Machines) -> None:
    key = key_in(machines.operator)
    connect = AwaySshConnect(keys_from=KeysFrom.OPERATOR).gathered([Host(name="web1")])
    connect.warm_up()
    assert sent_belongings() is None
    assert offered(Host(name="web1")) == [key.public.fingerprint]


def test_what_did_not_gather_does_not_fall_back_on_the_workers_keys(machines: Machines) -> None:
    machines.go_away()
    with pytest.raises(RuntimeError, match="without having gathered"):
        AwaySshConnect(keys_from=KeysFrom.OPERATOR).warm_up()


def test_no_content_is_shown(machines: Machines, caplog: pytest.LogCaptureFixture) -> None:
    key = key_in(machines.operator)
    (machines.operator / ".ssh" / "known_hosts").write_text(f"web1 {key.words}\n")
    secret = key.path.read_text().splitlines()[2]
    host = Host(name="web1")
    with caplog.at_level(logging.DEBUG):
        connect = machines.send(host)
        login_keys(host)
    gathered = connect.belongings
    assert gathered is not None
    assert secret in gathered.files["~/.ssh/id_ed25519"].reveal().decode()
    shown = [repr(each) for each in (connect, gathered, *gathered.files.values())]
    shown += [str(gathered), f"{gathered.files['~/.ssh/id_ed25519']}", caplog.text]
    assert all(secret not in text for text in shown)
    assert "Secret(***)" in repr(gathered.files["~/.ssh/id_ed25519"])


def test_it_is_a_connect_that_gathers_prepares_and_warms_up() -> None:
    connect = AwaySshConnect(keys_from=KeysFrom.WORKER)
    assert isinstance(connect, Gathers)
    assert isinstance(connect, Prepares)
    assert isinstance(connect, WarmsUp)
    assert connect == AwaySshConnect(keys_from=KeysFrom.WORKER, ssh=SshConnect())
    assert not isinstance(SshConnect(), Gathers)


# --- jump hosts ----------------------------------------------------------------------------------


def config_in(folder: Path, text: str) -> None:
    (folder / ".ssh" / "config").write_text(text)
    (folder / ".ssh" / "config").chmod(0o600)


def test_jump_hosts_are_looked_up_in_the_operators_ssh_config(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "deploy")
    key_in(machines.operator)
    deploy = key_in(machines.operator, "deploy")
    config = machines.operator / "config"
    config.write_text("Include ~/more\nHost b2\n ProxyJump b1\n HostName b2.example\n")
    more = machines.operator / "more"
    more.write_text("Host b1\n HostName b1.example\n IdentityFile ~/.ssh/${DEPLOY_KEY}\n")
    more.chmod(0o600)
    host = Host(name="web1", jump="b2", ssh_config=str(config), connect_timeout_s=3.0)
    expected = hops_to(host)
    machines.send(host)
    monkeypatch.delenv("DEPLOY_KEY")
    config.unlink()
    found = hops_to(host)
    assert found == expected
    assert [hop.address for hop in found] == ["b1.example", "b2.example"]
    assert {hop.connect_timeout_s for hop in found} == {3.0}
    assert offered(found[0]) == [deploy.public.fingerprint]


def test_a_jump_host_that_has_an_agent_alone_is_an_error_before_the_run(
    machines: Machines,
) -> None:
    key_in(machines.operator, "key")
    host = Host(name="web1", private_key="~/.ssh/key", jump="bastion")
    with pytest.raises(UsageError, match="host 'bastion': it has no password and no key file"):
        gather([host])


def test_jump_hosts_that_cannot_be_looked_up_fail_their_hosts_alone(machines: Machines) -> None:
    key_in(machines.operator)
    config = machines.operator / "config"
    config.write_text("Host a\n ProxyJump b\nHost b\n ProxyJump a\n")
    jumps = {"circle": "a", "wrong": "c:0", "good": "d"}
    hosts = [Host(name=name, jump=jump, ssh_config=str(config)) for name, jump in jumps.items()]
    expected = []
    for host in hosts[:2]:
        with pytest.raises(ConnectError) as refused:
            hops_to(host)
        expected.append(str(refused.value))
    machines.send(*hosts)
    config.unlink()
    for host, sentence in zip(hosts, expected, strict=False):
        with pytest.raises(ConnectError) as refused:
            hops_to(host)
        assert str(refused.value) == sentence
    assert [hop.name for hop in hops_to(hosts[2])] == ["d"]


# --- known_hosts ---------------------------------------------------------------------------------


@pytest.fixture
def pair(machines: Machines) -> tuple[MadeKey, MadeKey]:
    """Return two host keys of one type; the operator has a key to log in with."""
    key_in(machines.operator)
    return make_host_key(machines.operator / "first"), make_host_key(machines.operator / "second")


def known_in(folder: Path, *lines: str) -> Path:
    path = folder / ".ssh" / "known_hosts"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_the_operators_known_hosts_vouch_and_the_workers_do_not(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    known = known_in(machines.operator, "# a comment", f"web2 {pair[0].words}")
    known_in(machines.worker, f"web1 {pair[0].words}")
    web1, web2 = Host(name="web1"), Host(name="web2")
    machines.send(web1, web2)
    check_host_key(web2, pair[0].public)
    with pytest.raises(HostKeyError, match=f"CHANGED.*{known}:2 has"):
        check_host_key(web2, pair[1].public)
    with pytest.raises(HostKeyError, match=f"not known.*is not in {known} {known}2 /etc/ssh/"):
        check_host_key(web1, pair[0].public)


@pytest.mark.parametrize(
    "names",
    ["web1", "WEB1", "other,web1", "web*", "*,!web2", "[web1]:2222", "@revoked *", "hashed"],
)
def test_of_known_hosts_the_lines_go_along_that_can_be_about_the_hosts(
    machines: Machines, pair: tuple[MadeKey, MadeKey], names: str
) -> None:
    filling = [f"other{number} {pair[1].words}" for number in range(100)]
    known = known_in(machines.operator, *filling, f"{names} {pair[0].words}", *filling)
    if names == "hashed":
        known_in(machines.operator, f"web1 {pair[0].words}")
        keygen("-q", "-H", "-f", str(known))
    hosts = [
        Host(name="web1"),
        Host(name="by-port", address="web1", port=2222),
        Host(name="by-alias", address="10.0.0.1", host_key_alias="Web1"),
    ]
    expected = [known_entries(host) for host in hosts]
    assert any(expected)
    arrived = machines.send(*hosts)
    assert [known_entries(host) for host in hosts] == expected
    assert arrived.belongings is not None
    assert b"other7" not in arrived.belongings.files["~/.ssh/known_hosts"].reveal()


def test_a_known_hosts_file_that_cannot_be_read_is_told_by_the_host(machines: Machines) -> None:
    key_in(machines.operator)
    host = Host(name="web1", known_hosts=("~/.ssh",))
    machines.send(host)
    with pytest.raises(HostKeyError, match=f"{machines.operator}/.ssh: cannot be read"):
        offered_key_types(host, ["ssh-ed25519"])


def test_known_hosts_that_were_sent_are_parsed_once(
    machines: Machines, pair: tuple[MadeKey, MadeKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"web{number}" for number in range(20)]
    known_in(machines.operator, *(f"{name} {pair[0].words}" for name in names))
    hosts = [Host(name=name) for name in names]
    machines.send(*hosts)
    parsed: list[str] = []
    parse = KnownHosts.parse

    def noting(lines: Sequence[bytes], *, source: str) -> KnownHosts:
        parsed.append(source)
        return parse(lines, source=source)

    monkeypatch.setattr(KnownHosts, "parse", noting)
    for host in hosts:
        check_host_key(host, pair[0].public)
    assert len(parsed) == len(set(parsed)) == len(hosts[0].known_hosts)


# --- new keys ------------------------------------------------------------------------------------


def test_a_new_key_is_written_at_home_alone_and_known_from_then_on(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    known = known_in(machines.operator, "# ours")
    host = Host(name="web1", host_keys=NEW, password=Secret("it"), become_password=Secret("it"))
    connect = AwaySshConnect(keys_from=KeysFrom.OPERATOR).gathered([host])
    asked = machines.go_away()
    pickled(connect).warm_up()
    for _ in range(2):
        check_host_key(host, pair[0].public)
    check_host_key(replace(host, host_keys=HostKeyPolicy.STRICT), pair[0].public)
    (question,) = asked
    assert isinstance(question, AddHostKey)
    assert (question.host.password, question.host.become_password) == (None, None)
    assert known.read_text() == f"# ours\nweb1 {pair[0].words}\n"
    assert everything_in(machines.worker) == {}
    assert [entry.place for entry in known_entries(host)] == [f"{known}:2"]
    with pytest.raises(HostKeyError, match=f"CHANGED.*{known}:2"):
        check_host_key(host, pair[1].public)


def test_home_refuses_what_another_worker_has_written_otherwise(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    host = Host(name="web1", host_keys=NEW)
    machines.send(host)
    known = known_in(machines.operator, f"web1 {pair[0].words}")
    with pytest.raises(HostKeyError, match=f"CHANGED.*{known}:1.*approve --replace web1"):
        check_host_key(host, pair[1].public)
    check_host_key(host, pair[0].public)
    assert known.read_text() == f"web1 {pair[0].words}\n"


@pytest.mark.parametrize("keys_from", list(KeysFrom))
def test_home_refuses_what_its_second_file_has_otherwise(
    machines: Machines, pair: tuple[MadeKey, MadeKey], keys_from: KeysFrom
) -> None:
    host = Host(name="web1", host_keys=NEW, known_hosts=("~/one", "~/two"))
    connect = AwaySshConnect(keys_from=keys_from).gathered([host])
    (machines.operator / "two").write_text(f"web1 {pair[0].words}\n")
    machines.go_away()
    connect.warm_up()
    with pytest.raises(HostKeyError, match=f"CHANGED.*{machines.operator}/two:1"):
        check_host_key(host, pair[1].public)
    assert everything_in(machines.worker) == {}


def test_a_key_that_cannot_be_written_at_home_is_the_hosts_refusal(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    (machines.operator / "file").write_text("")
    host = Host(name="web1", host_keys=NEW, known_hosts=("~/file/known_hosts",))
    machines.send(host)
    with pytest.raises(HostKeyError, match="its key cannot be written there"):
        check_host_key(host, pair[0].public)


def test_a_worker_with_files_of_its_own_writes_a_new_key_there_and_at_home(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    host = Host(name="web1", host_keys=NEW)
    asked = machines.go_away()
    AwaySshConnect(keys_from=KeysFrom.WORKER).warm_up()
    for _ in range(2):
        check_host_key(host, pair[0].public)
    assert len(asked) == 1
    for folder in (machines.operator, machines.worker):
        assert (folder / ".ssh" / "known_hosts").read_text() == f"web1 {pair[0].words}\n"


def test_a_worker_with_files_of_its_own_refuses_what_home_has_otherwise(
    machines: Machines, pair: tuple[MadeKey, MadeKey]
) -> None:
    known = known_in(machines.operator, f"web1 {pair[0].words}")
    machines.go_away()
    with pytest.raises(HostKeyError, match=f"CHANGED.*{known}:1"):
        check_host_key(Host(name="web1", host_keys=NEW), pair[1].public)
    assert everything_in(machines.worker) == {}


@pytest.mark.parametrize("why", ["no folder", "full"])
def test_a_worker_with_files_of_its_own_goes_on_when_home_cannot_write(
    machines: Machines,
    pair: tuple[MadeKey, MadeKey],
    caplog: pytest.LogCaptureFixture,
    why: str,
) -> None:
    """A path of the worker's machine need not be one at home, and none is made there."""
    file = f"{machines.worker}/.ssh/known_hosts" if why == "no folder" else "~/f/known_hosts"
    host = Host(name="web1", host_keys=NEW, known_hosts=(file,))
    if why == "full":
        (machines.operator / "f").write_text("no folder")
    asked = machines.go_away()
    if why == "no folder":
        (machines.worker / ".ssh").rmdir()
    check_host_key(host, pair[0].public)
    assert len(asked) == 1
    assert "web1: " in caplog.text
    assert "cannot be written there" in caplog.text
    written = Path(file).expanduser()
    assert written.read_text() == f"web1 {pair[0].words}\n"


def test_at_home_a_new_key_is_nobody_elses_question(
    machines: Machines, pair: tuple[MadeKey, MadeKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleetrun.ssh.hostkeys.ask", lambda _question: pytest.fail("it asked"))
    check_host_key(Host(name="web1", host_keys=NEW), pair[0].public)
    known = read_known_hosts(machines.operator / ".ssh" / "known_hosts")
    assert [entry.key for entry in known.all()] == [pair[0].public]
