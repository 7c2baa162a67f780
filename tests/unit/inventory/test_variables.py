"""The variables that are known, under all their names, and those that are the user's own."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from fleetrun.errors import InventoryError
from fleetrun.hosts import Host, HostKeyPolicy, Secret
from fleetrun.inventory import Inventory

Load = Callable[..., Inventory]


def _host(load: Load, *variables: str) -> Host:
    lines = "".join(f"      {line}\n" for line in variables)
    (host,) = load(f"all:\n  hosts:\n    web1:\n{lines}").hosts
    return host


OFF, STRICT = HostKeyPolicy.OFF, HostKeyPolicy.STRICT
SPELLINGS = [
    ("host: 192.0.2.1", "address", "192.0.2.1"),
    ("ansible_host: db.example.com", "address", "db.example.com"),
    ("ansible_ssh_host: 2001:db8::1", "address", "2001:db8::1"),
    ("host: 10", "address", "10"),
    ("port: 2222", "port", 2222),
    ("port: '22'", "port", 22),
    ("ansible_port: 65535", "port", 65535),
    ("ansible_ssh_port: 1", "port", 1),
    ("user: deploy", "user", "deploy"),
    ("user: no", "user", "no"),
    ("ansible_user: '1000'", "user", "1000"),
    ("ansible_ssh_user: root", "user", "root"),
    ("password: 0123", "password", Secret("0123")),
    ("ansible_password: !unsafe '{{ x }}'", "password", Secret("{{ x }}")),
    ("ansible_ssh_pass: hunter2", "password", Secret("hunter2")),
    ("ansible_ssh_password: hunter2", "password", Secret("hunter2")),
    ("private_key: ~/.ssh/id", "private_key", "~/.ssh/id"),
    ("ansible_private_key_file: id", "private_key", "id"),
    ("ansible_ssh_private_key_file: id", "private_key", "id"),
    ("known_hosts: hosts", "known_hosts", ("hosts",)),
    ("known_hosts: [a, ~/b]", "known_hosts", ("a", "~/b")),
    ("host_keys: accept-new", "host_keys", HostKeyPolicy.ACCEPT_NEW),
    ("host_keys: off", "host_keys", OFF),
    ("ansible_host_key_checking: false", "host_keys", OFF),
    ("ansible_host_key_checking: No", "host_keys", OFF),
    ("ansible_host_key_checking: True", "host_keys", STRICT),
    ("ansible_ssh_host_key_checking: 'yes'", "host_keys", STRICT),
    ("connect_timeout: 0.5", "connect_timeout_s", 0.5),
    ("ansible_timeout: 30", "connect_timeout_s", 30.0),
    ("ansible_ssh_timeout: 7", "connect_timeout_s", 7.0),
    ("login_timeout: 60", "login_timeout_s", 60.0),
    ("command_timeout: 300", "command_timeout_s", 300.0),
]


@pytest.mark.parametrize(("line", "field", "value"), SPELLINGS, ids=[case[0] for case in SPELLINGS])
def test_each_spelling_sets_its_field(load: Load, line: str, field: str, value: object) -> None:
    host = _host(load, line)
    assert getattr(host, field) == value
    assert host.sources[field] == "hosts.yaml:4"


@pytest.mark.parametrize("ours_first", [True, False])
def test_in_one_place_ansibles_name_beats_ours(load: Load, *, ours_first: bool) -> None:
    lines = ["port: 8080", "ansible_port: 22"]
    host = _host(load, *(lines if ours_first else reversed(lines)))
    assert host.port == 22


def test_between_places_the_inner_one_wins_whatever_the_name(load: Load) -> None:
    (host,) = load("all: {vars: {ansible_user: root}, hosts: {web1: {user: ann}}}\n").hosts
    assert host.user == "ann"


def test_variables_are_kept_as_they_were_written(load: Load) -> None:
    host = _host(
        load,
        "ansible_port: 2222",
        "rack: 022",
        "on_call: no",
        "sites: [ams, 1.10]",
        "disks: {sda: {size: 0x10}}",
        "message: '{{ greeting }}'",
        "nothing:",
    )
    assert host.vars == {
        "ansible_port": "2222",
        "rack": "022",
        "on_call": "no",
        "sites": ["ams", "1.10"],
        "disks": {"sda": {"size": "0x10"}},
        "message": "{{ greeting }}",
        "nothing": "",
    }


@pytest.mark.parametrize(
    "name",
    [
        "ansible_python_interpreter",
        "ansible_become_exe",
        "ansible_become_flags",
        "ansible_hostname",
        "ansible_scp_extra_args",
        "ansible_sftp_extra_args",
        "ansible_ssh_use_tty",
        "ansible_network_os",
        "ansible_winrm_port",
        "users",
        "ports",
        "hosts",
        "known_host",
        "hostname",
        "username",
        "private_keys",
        "passwords",
        "host_key",
    ],
)
def test_other_variables_load_silently(load: Load, name: str) -> None:
    inventory = load(f"all:\n  hosts:\n    web1: {{{name}: x}}\n")
    assert inventory.hosts[0].vars == {name: "x"}
    assert inventory.warnings == ()


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("ansible_hots", "ansible_host"),
        ("ansible_usr", "ansible_user"),
        ("ansible_portt", "ansible_port"),
        ("ansible_pasword", "ansible_password"),
        ("ansible_ssh_privat_key_file", "ansible_ssh_private_key_file"),
        ("ansible_host_key_cheking", "ansible_host_key_checking"),
        ("usre", "user"),
        ("prot", "port"),
        ("hots", "host"),
        ("know_nhosts", "known_hosts"),
    ],
)
def test_a_slip_of_the_keyboard_is_an_error_and_not_a_variable(
    load: Load, slip: str, meant: str
) -> None:
    with pytest.raises(InventoryError, match=f"no variable '{slip}'; did you mean '{meant}'"):
        _host(load, f"{slip}: x")


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("connect_timout", "connect_timeout"),
        ("privat_key", "private_key"),
        ("knownhosts", "known_hosts"),
        ("hosts_keys", "host_keys"),
        ("login_timeout_", "login_timeout"),
    ],
)
def test_what_is_nearly_a_long_name_of_ours_is_a_warning(load: Load, slip: str, meant: str) -> None:
    inventory = load(f"all:\n  hosts:\n    web1:\n      {slip}: x\n")
    assert inventory.hosts[0].vars == {slip: "x"}
    assert inventory.warnings == (f"hosts.yaml:4: {slip!r} sets nothing; did you mean {meant!r}?",)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_private_key",
        "ansible_private_key_passphrase",
        "db_password",
        "DB_PASSWORD",
        "pass",
        "api_token",
        "vault_secret",
        "API_KEY",
    ],
)
def test_what_is_named_like_a_secret_is_one(load: Load, name: str) -> None:
    host = _host(load, f"{name}: hunter2")
    assert host.vars == {name: Secret("hunter2")}
    assert "hunter2" not in repr(host)


def test_secrets_are_found_at_any_depth(load: Load) -> None:
    host = _host(load, "db: {url: x, password: hunter2}", "tokens_password: [hunter2, {a: b}]")
    assert host.vars == {
        "db": {"url": "x", "password": Secret("hunter2")},
        "tokens_password": [Secret("hunter2"), {"a": Secret("b")}],
    }


@pytest.mark.parametrize("name", ["bypass", "password_file", "ansible_private_key_file"])
def test_what_only_sounds_like_a_secret_is_none(load: Load, name: str) -> None:
    assert _host(load, f"{name}: x").vars == {name: "x"}


def test_a_host_with_all_of_it_crosses_to_another_process(load: Load) -> None:
    host = _host(load, "password: hunter2", "sites: [ams]", "host_keys: off")
    copy = pickle.loads(pickle.dumps(host))  # noqa: S301 (made in the line itself)
    assert copy == host
    assert copy.sources == host.sources
