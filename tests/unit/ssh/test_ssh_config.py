"""ssh_config: places, warnings, precedence, jump hosts. What a file means is tested against ssh."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from fleetrun import Host, Inventory
from fleetrun.errors import ConnectError, InventoryError, UsageError
from fleetrun.hosts import (
    DEFAULT_KNOWN_HOSTS,
    GLOBAL_KNOWN_HOSTS,
    USER_KNOWN_HOSTS,
    HostKeyPolicy,
)
from fleetrun.inventory import Overrides
from fleetrun.ssh.config import SshConfig
from fleetrun.ssh.config_settings import settings_of, with_ssh_config
from fleetrun.ssh.hop import Hop, parse_chain
from fleetrun.ssh.hops import hops_to, last_hop


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes an ssh_config and returns its path, a new one each time."""

    def write(text: str) -> str:
        path = tmp_path / f"config{len(list(tmp_path.iterdir()))}"
        path.write_text(text)
        return str(path)

    return write


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("\nPort 0", 2, "port 0 is not between 1 and 65535"),
        ("Port 22 33", 1, "port takes one value, and there are 2"),
        ("User", 1, "there is no value after 'User'"),
        ('User "bob', 1, "a quote is opened and not closed"),
        ("Match", 1, "there is no value after 'Match'"),
        ("Match colour red", 1, "Match has no criterion 'colour'"),
        ("Match all host x", 1, "Match all cannot stand before host"),
        ("ConnectTimeout soon", 1, "'soon' is not a time such as 90, 1m30s or 2h"),
        ("ConnectTimeout 9999w", 1, "'9999w' is more than 2147483647 seconds"),
        ("ProxyJump a,,b", 1, "ProxyJump: '' is no jump host; write USER@NAME:PORT"),
        ("StrictHostKeyChecking x", 1, "stricthostkeychecking 'x' is not one of yes, true, no"),
        ("IdentitiesOnly x", 1, "identitiesonly 'x' is not one of yes, true, no, false"),
        ("UserKnownHostsFile a none", 1, "userknownhostsfile takes none alone"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    text: str, line: int, message: str, written: Callable[[str], str]
) -> None:
    path = written(text)
    with pytest.raises(UsageError) as caught:
        SshConfig.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize("keyword", ["IdentityFile", "UserKnownHostsFile", "ProxyCommand nc"])
def test_a_token_that_stands_for_nothing_is_a_mistake_with_its_place(
    keyword: str, written: Callable[[str], str]
) -> None:
    path = written(f"Host web1\n {keyword} %z\n")
    found = SshConfig.load(path).look_up("web1")
    with pytest.raises(UsageError, match=r":2: %z stands for nothing here; these do: %%"):
        settings_of(found)
    assert settings_of(SshConfig.load(path).look_up("web2")) == {}


def test_match_exec_is_never_run_and_a_warning_names_its_place(
    written: Callable[[str], str], tmp_path: Path
) -> None:
    path = written(f'Match host web1 exec "touch {tmp_path}/ran"\n Port 3\n')
    config = SshConfig.load(path)
    assert config.look_up("web1").value("port") is None
    assert config.warnings == (f"{path}:1: Match exec is never run; its block is left out",)
    assert not (tmp_path / "ran").exists()


def test_what_is_not_understood_is_kept_with_its_place(written: Callable[[str], str]) -> None:
    path = written("SendEnv LANG LC_*\nNoSuchOption yes\n")
    found = SshConfig.load(path).look_up("web1").values
    assert found["sendenv"][0].text == "LANG LC_*"
    assert found["nosuchoption"][0].place == f"{path}:2"


def test_host_lines_look_at_the_name_and_at_nothing_else(
    written: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be hundreds of them, and 20,000 hosts to be looked up."""
    config = SshConfig.load(written("Host *.example !db*\n Port 3\nHost db*\n Port 4\n"))
    asked: list[str] = []
    monkeypatch.setattr("fleetrun.ssh.config.current_user", lambda: asked.append("user") or "x")
    port = config.look_up("web1.example").value("port")
    assert port is not None
    assert port.text == "3"
    assert asked == []


def test_files_are_read_once_a_process(written: Callable[[str], str]) -> None:
    path = written("Port 3")
    assert SshConfig.load(path) is SshConfig.load(path)


def test_none_reads_no_file_and_a_named_one_has_to_be_there(tmp_path: Path) -> None:
    assert SshConfig.load("none").files == ()
    with pytest.raises(UsageError, match="there is no such file"):
        SshConfig.load(str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="it is a folder"):
        SshConfig.load(str(tmp_path))


def test_a_users_file_that_others_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FLEETRUN_SSH_CONFIG")
    (tmp_path / ".ssh").mkdir()
    file = tmp_path / ".ssh" / "config"
    file.write_text("Include more\nPort 3\n")
    (tmp_path / ".ssh" / "more").write_text("User bob\n")
    (tmp_path / ".ssh" / "more").chmod(0o600)
    file.chmod(0o666)
    SshConfig.load.__func__.__globals__["_load"].cache_clear()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="others may write to it"):
        SshConfig.load()
    file.chmod(0o600)
    found = SshConfig.load().look_up("web1")
    SshConfig.load.__func__.__globals__["_load"].cache_clear()  # type: ignore[attr-defined]
    port, user = found.value("port"), found.value("user")
    assert port is not None
    assert port.place == f"{file}:2"
    assert user is not None
    assert user.place == f"{tmp_path}/.ssh/more:1"


@pytest.mark.parametrize(
    ("members", "primary", "refused"),
    [
        ([], ["us"], False),
        (["us"], [], False),
        (["us", "them"], [], True),
        (["us"], ["them"], True),
        ([], [], True),
        (None, ["us"], True),
    ],
    ids=["our own", "named too", "another", "another's own", "nobody's", "no such group"],
)
def test_a_group_may_write_to_what_is_included_if_we_alone_are_in_it(
    members: list[str] | None,
    primary: list[str],
    *,
    refused: bool,
    written: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    included = Path(written("Port 3\n"))
    included.chmod(0o664)
    group = included.stat().st_gid

    def group_of(number: int) -> SimpleNamespace:
        if members is None or number != group:
            raise KeyError(number)
        return SimpleNamespace(gr_mem=members)

    everybody = [SimpleNamespace(pw_name=name, pw_gid=group) for name in primary]
    monkeypatch.setattr("grp.getgrgid", group_of)
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name="us"))
    monkeypatch.setattr("pwd.getpwall", lambda: everybody)

    file = written(f"Include {included}\n")
    with pytest.raises(UsageError, match="others may write") if refused else nullcontext():
        SshConfig.load(file)


def test_reading_it_imports_no_paramiko() -> None:
    code = (
        "import sys, fleetrun.ssh.config_settings as it\n"
        "it.settings_of(it.SshConfig.load('none').look_up('web1'))\n"
        "sys.exit('paramiko' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- what beats what -----------------------------------------------------------------------------


def test_the_command_line_beats_the_inventory_which_beats_ssh_config(
    written: Callable[[str], str],
) -> None:
    config = written("Host web*\n User from-file\n Port 1\n ConnectTimeout 7\n ProxyCommand nc x\n")
    overrides = Overrides(ssh_config=config, port=3)
    (host,) = Inventory.of(["from-inventory@web1:2"], overrides=overrides).hosts
    assert (host.user, host.port, host.connect_timeout_s) == ("from-inventory", 3, 7.0)
    assert host.sources["connect_timeout_s"] == f"{config}:4"
    assert host.proxy_command == "nc x"


def test_a_jump_host_of_the_inventory_takes_the_place_of_a_command(
    written: Callable[[str], str],
) -> None:
    host = {"name": "web1", "ssh_config": written("ProxyCommand nc x\n")}
    sources = {"jump": "hosts.yaml:3"}
    assert with_ssh_config({**host, "jump": "b"}, sources).proxy_command is None
    assert with_ssh_config({**host, "jump": None}, sources).proxy_command is None  # `jump: none`
    assert with_ssh_config(host, {}).proxy_command == "nc x"


def test_the_address_of_the_inventory_is_what_is_looked_up(written: Callable[[str], str]) -> None:
    config = written("Host web1\n Port 1\nHost alias\n HostName %h.example\n Port 2\n")
    host = {"name": "web1", "address": "alias", "ssh_config": config}
    found = with_ssh_config(host, {"address": "x:1"})
    assert (found.address, found.port) == ("alias.example", 2)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("IdentityFile a\nIdentityFile %h", "identity_files", ("a", "web1")),
        ("IdentityFile none", "identity_files", ()),
        ("IdentitiesOnly yes", "identities_only", True),
        ("IdentityAgent none", "identity_agent", None),
        ("CertificateFile c", "certificate_files", ("c",)),
        ("HostKeyAlias other", "host_key_alias", "other"),
        ("StrictHostKeyChecking ask", "host_keys", HostKeyPolicy.STRICT),
        ("StrictHostKeyChecking accept-new", "host_keys", HostKeyPolicy.ACCEPT_NEW),
        ("StrictHostKeyChecking no", "host_keys", HostKeyPolicy.OFF),
        ("UserKnownHostsFile a b", "known_hosts", ("a", "b", *GLOBAL_KNOWN_HOSTS)),
        ("GlobalKnownHostsFile none", "known_hosts", USER_KNOWN_HOSTS),
        ("ServerAliveInterval 0", "alive_interval_s", 0.0),
        ("ServerAliveCountMax 7", "alive_count", 7),
        ("ConnectTimeout 0", "connect_timeout_s", 10.0),
        ("ProxyJump ann@%h-b", "jump", "ann@web1-b"),
        ("ProxyJump none", "jump", None),
        ("Compression yes", "known_hosts", DEFAULT_KNOWN_HOSTS),
    ],
)
def test_an_option_sets_a_field(
    text: str, field: str, value: object, written: Callable[[str], str]
) -> None:
    host = with_ssh_config({"name": "web1", "ssh_config": written(text)}, {})
    assert getattr(host, field) == value


def test_a_value_that_no_host_can_have_is_told_with_the_host(written: Callable[[str], str]) -> None:
    path = written('User "a b"')
    with pytest.raises(UsageError, match=r"host 'web1', as .*:1 have it: the user 'a b'"):
        with_ssh_config({"name": "web1", "ssh_config": path}, {})


def test_a_value_that_no_host_can_have_is_not_blamed_on_ssh_config(
    written: Callable[[str], str],
) -> None:
    host = {"name": "..", "ssh_config": written("User bob")}
    with pytest.raises(InventoryError, match=r"^the host name '\.\.' means a folder$"):
        with_ssh_config(host, {})


def test_where_a_value_came_from_is_the_same_in_another_process(
    written: Callable[[str], str],
) -> None:
    config = written("User bob\n")
    host = {"name": "web1", "port": 2222, "ssh_config": config}
    sources = with_ssh_config(host, {"port": "x:1", "user": "default"}).sources
    assert dict(sources) == {"port": "x:1", "user": f"{config}:1"}
    assert len(sources) == 2
    copied = pickle.loads(pickle.dumps(sources))  # noqa: S301 (made in the line itself)
    assert type(copied) is dict
    assert copied == dict(sources)


# --- jump hosts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("b", (Hop(name="b"),)),
        ("ann@b:22", (Hop(name="b", user="ann", port=22),)),
        ("a,ann@b", (Hop(name="a"), Hop(name="b", user="ann"))),
        ("[::1]:22", (Hop(name="::1", port=22),)),
        ("ssh://ann@b:22/", (Hop(name="b", user="ann", port=22),)),
        ("none", ()),
    ],
)
def test_a_chain_is_read_and_written(text: str, hops: tuple[Hop, ...]) -> None:
    assert parse_chain(text) == hops
    if hops:
        assert parse_chain(",".join(map(str, hops))) == hops


@pytest.mark.parametrize("text", ["", "a,,b", "ann@", ":22", "::1", "a:0", "a:b", "[::1", "a/b"])
def test_what_is_no_jump_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"jump host|port"):
        parse_chain(text)


def test_each_jump_host_is_looked_up_for_itself(written: Callable[[str], str]) -> None:
    config = written(
        "Host b1\n HostName one\n User u1\n IdentityFile k1\n"
        "Host b2\n HostName two\n Port 2\n StrictHostKeyChecking no\n"
    )
    host = Host(
        name="web1",
        user="deploy",
        private_key="secret-key",
        host_keys=HostKeyPolicy.OFF,
        jump="b1,ann@b2",
        ssh_config=config,
        known_hosts=("theirs",),
        connect_timeout_s=3.0,
    )
    one, two = hops_to(host)
    assert (one.address, one.user, one.port, one.jump) == ("one", "u1", 22, None)
    assert (two.address, two.user, two.port, two.jump) == ("two", "ann", 2, "b1")
    assert one.host_keys is HostKeyPolicy.STRICT
    assert one.private_key is None
    assert one.identity_files == ("k1",)
    assert {hop.known_hosts for hop in (one, two)} == {("theirs",)}
    assert {hop.connect_timeout_s for hop in (one, two)} == {3.0}


def test_only_the_first_of_a_chain_keeps_its_own_jump_host(written: Callable[[str], str]) -> None:
    config = written("Host b1\n ProxyJump b0\nHost b2\n ProxyJump elsewhere\n")
    host = Host(name="web1", jump="b1,b2", ssh_config=config)
    assert [hop.name for hop in hops_to(host)] == ["b0", "b1", "b2"]


def test_a_circle_is_told(written: Callable[[str], str]) -> None:
    config = written("Host *\n ProxyJump b\n")
    with pytest.raises(ConnectError, match="lead in a circle: b behind b"):
        hops_to(Host(name="web1", jump="b", ssh_config=config))


def test_a_chain_that_cannot_be_read_is_told_when_it_is_needed() -> None:
    with pytest.raises(ConnectError, match="the jump hosts 'a,,b' cannot be used"):
        last_hop(Host(name="web1", jump="a,,b", ssh_config="none"))
