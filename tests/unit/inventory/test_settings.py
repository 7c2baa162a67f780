"""Settings that come about in a roundabout way: sudo, ssh's own arguments, what cannot be known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fleetrun.errors import InventoryError
from fleetrun.hosts import DEFAULT_KNOWN_HOSTS, Host, HostKeyPolicy, Secret
from fleetrun.inventory import Inventory, Overrides

Load = Callable[..., Inventory]


def _host(load: Load, *lines: str, overrides: Overrides | None = None) -> Host:
    """Return a host with variables, one a line, that begin in line 4."""
    text = "all:\n  hosts:\n    web1:\n" + "".join(f"      {line}\n" for line in lines)
    (host,) = load(text, overrides).hosts
    return host


# --- becoming another user -----------------------------------------------------------------------

BECOMING = {
    "root unless somebody else is named": (["become: yes"], "root", None),
    "by Ansible's name": (["ansible_become: true"], "root", None),
    "as Ansible's INI files say it": (["ansible_become: 1"], "root", None),
    "somebody": (["become: on", "become_user: ann"], "ann", None),
    "with a password": (
        ["ansible_become: yes", "ansible_become_password: hunter2"],
        "root",
        Secret("hunter2"),
    ),
    "with the password's older name": (
        ["ansible_become: yes", "ansible_become_pass: hunter2", "become_password: other"],
        "root",
        Secret("hunter2"),
    ),
    "by sudo": (["become: yes", "become_method: sudo"], "root", None),
    "by sudo, in full": (
        ["become: yes", "ansible_become_method: ansible.builtin.sudo"],
        "root",
        None,
    ),
    "not at all": (["ansible_become: no", "become_user: ann", "become_password: x"], None, None),
    "a user alone is nobody": (["ansible_become_user: ann"], None, None),
    "another method does not matter then": (["become_method: su"], None, None),
    "a template does not matter then": (["become_password: '{{ x }}'"], None, None),
}


@pytest.mark.parametrize(("lines", "user", "password"), BECOMING.values(), ids=BECOMING)
def test_becoming(load: Load, lines: list[str], user: str | None, password: Secret | None) -> None:
    host = _host(load, *lines)
    assert (host.become_user, host.become_password) == (user, password)


def test_the_command_line_becomes_whom_the_inventory_names(load: Load) -> None:
    lines = ["become_user: ann", "become_password: hunter2"]
    on = Overrides(become=True)
    host = _host(load, *lines, overrides=on)
    assert (host.become_user, host.become_password) == ("ann", Secret("hunter2"))
    assert host.sources["become_user"] == "hosts.yaml:4"
    assert _host(load, *lines, overrides=Overrides(become_user="bob")).become_user == "bob"
    assert _host(load, overrides=on).become_user == "root"
    assert _host(load, overrides=on).sources["become_user"] == "--become"
    assert _host(load, "become: yes", overrides=Overrides(become=False)).become_user is None


def test_an_inner_switch_turns_it_off(load: Load) -> None:
    inventory = load("""\
        all:
          vars: {become: yes, become_user: ann}
          hosts: {web1: , web2: {become: no}}
        """)
    assert [host.become_user for host in inventory.hosts] == ["ann", None]
    assert [host.sources["become_user"] for host in inventory.hosts] == [
        "hosts.yaml:2",
        "hosts.yaml:3",
    ]


# --- what is handed on to ssh --------------------------------------------------------------------

ARGUMENTS = {
    "-p 2222": {"port": 2222},
    "-p2222": {"port": 2222},
    "-l ann": {"user": "ann"},
    "-i ~/.ssh/key": {"private_key": "~/.ssh/key"},
    "-J bastion": {"jump": "bastion"},
    "-J ann@b1:2222,b2": {"jump": "ann@b1:2222,b2"},
    "-J none": {"jump": None},
    "-F none": {"ssh_config": "none"},
    "-o Port=2222": {"port": 2222},
    "-oPort=2222": {"port": 2222},
    "-o 'Port 2222'": {"port": 2222},
    "-o 'Port = 2222'": {"port": 2222},
    "-o port=2222 -o PORT=1": {"port": 2222},
    "-p 1 -o Port=2": {"port": 1},
    "-o User=ann": {"user": "ann"},
    "-o ProxyJump=bastion": {"jump": "bastion"},
    "-o ProxyCommand=none": {"jump": None},
    "-o StrictHostKeyChecking=no": {"host_keys": HostKeyPolicy.OFF},
    "-o StrictHostKeyChecking=off": {"host_keys": HostKeyPolicy.OFF},
    "-o StrictHostKeyChecking=accept-new": {"host_keys": HostKeyPolicy.ACCEPT_NEW},
    "-o StrictHostKeyChecking=ask": {"host_keys": HostKeyPolicy.STRICT},
    "-o UserKnownHostsFile=/dev/null": {"known_hosts": ("/dev/null",)},
    "-o 'UserKnownHostsFile=a b'": {"known_hosts": ("a", "b")},
    """-o 'IdentityFile="my key"'""": {"private_key": "my key"},
    "-o ConnectTimeout=3": {"connect_timeout_s": 3.0},
    "-qvvp 2222": {"port": 2222},
    "-o ControlMaster=auto -o ControlPersist=60s -o ControlPath=/tmp/x -q": {},
    "": {},
}


@pytest.mark.parametrize(
    "name", ["ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"]
)
@pytest.mark.parametrize(("text", "fields"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_what_is_handed_on_to_ssh_is_read_as_ssh_would(
    load: Load, name: str, text: str, fields: dict[str, object]
) -> None:
    inventory = load(f"web1\n[all:vars]\n{name}={text}\n", name="hosts")
    (host,) = inventory.hosts
    assert {field: getattr(host, field) for field in fields} == fields
    assert {host.sources[field] for field, value in fields.items() if value} <= {"hosts:3"}
    assert inventory.warnings == ()


BEFORE_AND_AFTER = {
    "ansible_ssh_args": "-p 1",
    "ansible_port": "2",
    "ansible_ssh_common_args": "-p 3",
    "ansible_ssh_extra_args": "-p 4",
}
"""In the order in which Ansible puts them on ssh's command line."""


@pytest.mark.parametrize("first", range(4))
def test_the_first_on_sshs_command_line_counts(load: Load, first: int) -> None:
    given = list(BEFORE_AND_AFTER.items())[first:]
    lines = [f"{name}: {value}" for name, value in reversed(given)]
    assert _host(load, *lines).port == first + 1
    assert _host(load, *lines, overrides=Overrides(port=22)).port == 22


def test_arguments_are_inherited_whole_and_their_fields_with_them(load: Load) -> None:
    inventory = load("""\
        all:
          vars: {ansible_ssh_common_args: -J bastion -p 2222}
          hosts:
            web1:
            web2: {ansible_ssh_common_args: -p 2223}
            web3: {ansible_host: 192.0.2.1}
        """)
    assert [(host.jump, host.port) for host in inventory.hosts] == [
        ("bastion", 2222),
        (None, 2223),
        ("bastion", 2222),
    ]
    assert [host.sources["jump"] for host in inventory.hosts] == [
        "hosts.yaml:2",
        "default",
        "hosts.yaml:2",
    ]


def test_options_of_ssh_that_are_not_read_are_named_once(load: Load) -> None:
    inventory = load("""\
        all:
          hosts:
            web1: {ansible_ssh_common_args: -4 -o Ciphers=aes128-ctr -C extra}
            web2: {ansible_ssh_common_args: -4 -o Ciphers=aes128-ctr -C extra}
        """)
    assert inventory.warnings == (
        (
            "hosts.yaml:3: ansible_ssh_common_args: fleetrun does not read these options of ssh: "
            "-4, Ciphers, -C, extra"
        ),
    )


# --- what a host cannot do without, and the others can -------------------------------------------

OBSTACLES = {
    "template": (
        "ansible_host: '{{ inventory_hostname }}.example.com'",
        (
            "'ansible_host' of host 'web1' is a Jinja template, which fleetrun does not evaluate; "
            "write the value itself"
        ),
    ),
    "template in a list": (
        "known_hosts: [a, '{% if x %}b{% endif %}']",
        (
            "'known_hosts' of host 'web1' is a Jinja template, which fleetrun does not evaluate; "
            "write the value itself"
        ),
    ),
    "vault": (
        "ansible_password: !vault $ANSIBLE_VAULT;1.1;AES256",
        (
            "'ansible_password' of host 'web1' is encrypted with ansible-vault, which fleetrun "
            "does not open; write the value itself"
        ),
    ),
    "template in ssh's arguments": (
        "ansible_ssh_common_args: '-J {{ bastion }}'",
        (
            "'ansible_ssh_common_args' of host 'web1' is a Jinja template, which fleetrun does "
            "not evaluate; write the value itself"
        ),
    ),
    "ProxyCommand": (
        "ansible_ssh_common_args: -o ProxyCommand='ssh -W %h:%p bastion'",
        (
            "'ansible_ssh_common_args' of host 'web1' has a ProxyCommand, which fleetrun does "
            "not run for an inventory; write the way as -J USER@BASTION"
        ),
    ),
    "no SSH": (
        "ansible_connection: local",
        (
            "'ansible_connection' of host 'web1' is 'local', and fleetrun connects over SSH "
            "alone; leave the host out with --exclude, or set it to ssh"
        ),
    ),
    "no sudo": (
        "{become: yes, become_method: su}",
        (
            "'become_method' of host 'web1' is 'su', and fleetrun becomes another user through "
            "sudo alone"
        ),
    ),
    "template for a switch": (
        "become: '{{ x }}'",
        (
            "'become' of host 'web1' is a Jinja template, which fleetrun does not evaluate; "
            "write the value itself"
        ),
    ),
    "sudo's password in a vault": (
        "{become: yes, ansible_become_password: !vault x}",
        (
            "'ansible_become_password' of host 'web1' is encrypted with ansible-vault, which "
            "fleetrun does not open; write the value itself"
        ),
    ),
}


@pytest.mark.parametrize(("line", "message"), OBSTACLES.values(), ids=OBSTACLES)
def test_a_value_that_cannot_be_used_is_an_error_for_the_hosts_that_are_selected(
    load: Load, line: str, message: str
) -> None:
    inventory = load(f"all:\n  hosts:\n    web2:\n    web1:\n      {line}\n")
    assert inventory.names == ("web2", "web1")
    assert [host.name for host in inventory.select("web2")] == ["web2"]
    with pytest.raises(InventoryError) as caught:
        inventory.select()
    assert str(caught.value) == f"hosts.yaml:5: {message}"


def test_a_value_that_cannot_be_used_does_not_matter_where_it_is_beaten(load: Load) -> None:
    text = "all:\n  vars: {port: '{{ x }}'}\n  hosts: {web1: {port: 22}}\n"
    assert load(text).hosts[0].port == 22
    text = "all:\n  hosts: {web1: {password: !vault x}}\n"
    assert load(text, Overrides(password=Secret("x"))).hosts[0].password == Secret("x")
    text = "all:\n  hosts: {web1: {ansible_connection: docker}}\n"
    over_ssh = Overrides(variables={"ansible_connection": "ssh"})
    assert load(text, over_ssh).hosts[0].name == "web1"


@pytest.mark.parametrize(
    "connection", ["ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"]
)
def test_all_of_ansibles_connections_over_ssh_are_ours(load: Load, connection: str) -> None:
    assert _host(load, f"ansible_connection: {connection}").name == "web1"


def test_legacy_algorithms_are_asked_for_by_host(load: Load) -> None:
    assert _host(load, "legacy_algorithms: yes").legacy_algorithms is True
    assert _host(load, "legacy_algorithms: no").legacy_algorithms is False


# --- extra variables -----------------------------------------------------------------------------


def test_extra_variables_beat_everything(load: Load) -> None:
    overrides = Overrides(port=1, variables={"port": "2222", "site": "ams", "rack": "022"})
    host = _host(load, "port: 22", "site: fra", overrides=overrides)
    assert (host.port, host.sources["port"]) == (2222, "--extra-vars")
    assert host.vars == {"port": "2222", "site": "ams", "rack": "022"}
    plain = Inventory.of(["web1"], overrides=overrides).hosts[0]
    assert (plain.port, dict(plain.vars)) == (2222, dict(host.vars))


MISTAKES = {
    "usre": "--extra-vars: there is no variable 'usre'; did you mean 'user'?",
    "port": "--extra-vars: port: the port 'x' is not a whole number from 1 to 65535",
}


@pytest.mark.parametrize(("name", "message"), MISTAKES.items())
def test_extra_variables_are_read_as_strictly_as_those_of_a_file(name: str, message: str) -> None:
    with pytest.raises(InventoryError) as caught:
        Inventory.of(["web1"], overrides=Overrides(variables={name: "x"}))
    assert str(caught.value) == message


# --- warnings ------------------------------------------------------------------------------------


def test_templates_and_vaults_are_named_in_one_warning_a_file(load: Load) -> None:
    inventory = load("""\
        all:
          vars:
            plain: 1
            a: "{{ x }}"
            b: !vault |
              $ANSIBLE_VAULT;1.1;AES256
            c: {deep: ["{% raw %}"]}
            d: !unsafe "{{ not one }}"
            ansible_password: "{{ secret }}"
          hosts:
            web1: {a: "{{ y }}", e: "{{ y }}", f: "{{ y }}", g: "{{ y }}", h: "{{ y }}"}
        """)
    assert inventory.warnings == (
        (
            "hosts.yaml:4: kept as written, since fleetrun evaluates no Jinja templates: "
            "a, c, ansible_password, e, f and 2 more"
        ),
        "hosts.yaml:5: kept as written, since fleetrun opens no ansible-vault: b",
    )


def test_a_name_of_both_a_host_and_a_group_is_a_warning(load: Load) -> None:
    inventory = load("web: {hosts: {web: , web1: }}\n")
    assert inventory.warnings == ("hosts.yaml:1: names of a host and of a group: web",)


def test_an_ordinary_inventory_has_no_warnings(load: Load) -> None:
    text = "web: {hosts: {web1: {port: 22}}, vars: {site: ams}}\n"
    assert load(text).warnings == ()


# --- what hosts share ----------------------------------------------------------------------------


def test_defaults_stay_defaults_beside_what_is_given(load: Load) -> None:
    host = _host(load, "port: 2222")
    assert host.known_hosts == DEFAULT_KNOWN_HOSTS
    given = {name: place for name, place in host.sources.items() if place != "default"}
    assert given == {"name": "hosts.yaml:3", "port": "hosts.yaml:4"}
