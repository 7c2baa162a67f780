"""Every message of the loader: what is wrong in the file, and what is said of it and where.

The last test looks for places in `fleetrun/inventory/` that raise an error which is in no table.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import fleetrun.inventory
from fleetrun.errors import InventoryError, UsageError
from fleetrun.inventory import Inventory, Overrides, Targets
from fleetrun.ssh import config

Load = Callable[..., Inventory]
Ask = Callable[[pytest.MonkeyPatch], object]
"""Asks for what is wrong, in the folder that one is in."""


def _host(*lines: str) -> str:
    """Return an inventory of one host, whose variables begin in line 4."""
    return "all:\n  hosts:\n    web1:\n" + "".join(f"      {line}\n" for line in lines)


_MAPPING = "a mapping belongs here, with a 'name:' on each line"
_SECONDS = "is not a positive number of seconds, such as 10 or 0.5"
_PORT = "is not a whole number from 1 to 65535"

MISTAKES = {
    # the file
    "empty file": ("", "hosts.yaml: there is no host in it"),
    "only comments": ("# web1:\n", "hosts.yaml: there is no host in it"),
    "empty document": ("---\n", "hosts.yaml: there is no host in it"),
    "no host": ("all:\n  children:\n    web:\n", "hosts.yaml: there is no host in it"),
    "not UTF-8": (
        b"all:\n  hosts:\n    caf\xe9:\n",
        "hosts.yaml:3: byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    "control character": (
        "all:\n  hosts:\n    web1: {a: \x07}\n",
        "hosts.yaml:3: there is a control character (0x07), which YAML does not allow",
    ),
    # YAML
    "tab": (
        "all:\n  hosts:\n\tweb1:\n",
        "hosts.yaml:3: the line is indented with a tab; YAML allows only spaces there",
    ),
    "not YAML": (
        "all: hosts: web1\n",
        "hosts.yaml:1: this is not YAML: mapping values are not allowed in this context",
    ),
    "quote never closed": (
        "all:\n  hosts: 'web1\n\n",
        (
            "hosts.yaml:4: this is not YAML: found unexpected end of stream "
            "(while scanning a quoted scalar, begun in line 2)"
        ),
    ),
    "duplicate key": (
        "all:\n  hosts:\n    web1:\n    web2:\n    web1:\n",
        "hosts.yaml:5: 'web1' stands here twice, the first time in line 3",
    ),
    "tag": (
        "all:\n  hosts:\n    web1: {a: !!int 3}\n",
        "hosts.yaml:3: the tag !!int is not read; leave it out",
    ),
    "tag that runs code": (
        "all: !!python/object/apply:os.system [id]\n",
        "hosts.yaml:1: the tag !!python/object/apply:os.system is not read; leave it out",
    ),
    "unquoted template": (
        _host("site: {{ site }}"),
        "hosts.yaml:4: a key must be text, not a mapping; quote what begins with { or [",
    ),
    "two documents": (
        _host() + "---\nall:\n",
        "hosts.yaml:4: a second document begins here; an inventory is one document",
    ),
    "unknown alias": (
        "all:\n  vars: *common\n",
        "hosts.yaml:2: the alias *common has no anchor &common before it",
    ),
    "alias within itself": (
        "all: &a\n  vars: *a\n",
        "hosts.yaml:2: the alias *a stands within what it names",
    ),
    "merge of a value": (
        _host("<<: web"),
        "hosts.yaml:4: '<<' merges mappings, and this is a single value",
    ),
    "merge of a list of values": (
        _host("<<: [web]"),
        "hosts.yaml:4: '<<' merges mappings, and this is a single value",
    ),
    "nested too deep": (
        "all: " + "[" * 200,
        "hosts.yaml:1: values stand more than 100 levels deep in each other",
    ),
    "nested so deep that libyaml says so": (
        "all: " + "[" * 5000,
        "hosts.yaml:1: values stand more than 100 levels deep in each other",
    ),
    # the layout
    "list": (
        "- web1\n",
        "hosts.yaml:1: an inventory is a mapping of groups, such as 'all:', and this is a list",
    ),
    "single value": (
        "\nweb1\n",
        (
            "hosts.yaml:2: an inventory is a mapping of groups, such as 'all:', "
            "and this is a single value"
        ),
    ),
    "section at the top": (
        "hosts:\n  web1:\n",
        "hosts.yaml:1: 'hosts' stands where groups are; indent it under a group, such as 'all:'",
    ),
    "inventory plugin": (
        "plugin: aws_ec2\n",
        (
            "hosts.yaml:1: this configures an Ansible inventory plugin, which fleetrun does not "
            "run; write what it finds to a file with `ansible-inventory --list --yaml`"
        ),
    ),
    "host for hosts": (
        "web:\n  host:\n    web1:\n",
        "hosts.yaml:2: group 'web' cannot have a key 'host'; did you mean 'hosts'?",
    ),
    "child for children": (
        "web:\n  child:\n    web1:\n",
        "hosts.yaml:2: group 'web' cannot have a key 'child'; did you mean 'children'?",
    ),
    "variable outside vars": (
        "web:\n  ansible_user: root\n",
        (
            "hosts.yaml:2: group 'web' cannot have a key 'ansible_user'; "
            "a variable belongs under 'vars:'"
        ),
    ),
    "group outside children": (
        "all:\n  web:\n    hosts: web1\n",
        (
            "hosts.yaml:2: group 'all' cannot have a key 'web'; "
            "a group belongs under 'children:', a host under 'hosts:'"
        ),
    ),
    "group is a value": ("web: web1\n", f"hosts.yaml:1: group 'web' is a single value; {_MAPPING}"),
    "hosts are a list": (
        "web:\n  hosts:\n    - web1\n",
        f"hosts.yaml:2: 'hosts' of group 'web' is a list; {_MAPPING}",
    ),
    "children are a list": (
        "web:\n  children: [a, b]\n",
        f"hosts.yaml:2: 'children' of group 'web' is a list; {_MAPPING}",
    ),
    "vars are a list": (
        "web:\n  vars:\n    - user: root\n",
        f"hosts.yaml:2: 'vars' of group 'web' is a list; {_MAPPING}",
    ),
    "vars are a value": (
        "web:\n  vars: root\n",
        f"hosts.yaml:2: 'vars' of group 'web' is a single value; {_MAPPING}",
    ),
    "host is a value": (
        "web:\n  hosts:\n    web1: 192.0.2.1\n",
        f"hosts.yaml:3: host 'web1' is a single value; {_MAPPING}",
    ),
    "all as a child": (
        "web:\n  children:\n    all:\n",
        "hosts.yaml:3: 'all' holds every group and is no child of one",
    ),
    "circle of groups": (
        "a:\n  hosts: web1\n  children: b\nb:\n  children: c\nc:\n  children: a\n",
        "hosts.yaml:7: group 'a' is its own ancestor: a > b > c > a",
    ),
    "child of itself": (
        "a:\n  hosts: web1\n  children:\n    a:\n",
        "hosts.yaml:4: group 'a' is its own ancestor: a > a",
    ),
    "priority": (
        "web:\n  vars:\n    ansible_group_priority: high\n",
        "hosts.yaml:3: ansible_group_priority: it is not a whole number",
    ),
    "group name": (
        "all:\n  children:\n    -web:\n",
        "hosts.yaml:3: the group name '-web' begins with '-', as an option does",
    ),
    # the names of hosts
    "host like an option": (
        "all:\n  hosts:\n    -oProxyCommand=id:\n",
        "hosts.yaml:3: the host name '-oProxyCommand=id' begins with '-', as an option does",
    ),
    "host for the shell": (
        "all:\n  hosts:\n    a;b:\n",
        "hosts.yaml:3: the host name 'a;b' has ';' in it, which is not allowed",
    ),
    "newline in a host": (
        'all:\n  hosts:\n    "a\\nb":\n',
        "hosts.yaml:3: the host name 'a\\nb' has '\\n' in it, which is not allowed",
    ),
    "empty host": ("all:\n  hosts:\n    '':\n", "hosts.yaml:3: the host name is empty"),
    "long host": (
        f"all:\n  hosts:\n    {'x' * 300}:\n",
        f"hosts.yaml:3: the host name '{'x' * 40}'… has 300 characters; 255 are allowed",
    ),
    "brackets that do not match": (
        "all:\n  hosts:\n    web[1:\n",
        "hosts.yaml:3: the brackets in 'web[1' do not match",
    ),
    "no range": (
        "all:\n  hosts:\n    web[x-]:\n",
        (
            "hosts.yaml:3: 'x-' in 'web[x-]' is no range: "
            "ranges are [01:20], [a:f], [1:9:2] or [01-20,30]"
        ),
    ),
    "range backwards": (
        "all:\n  hosts:\n    web[3:1]:\n",
        "hosts.yaml:3: the range '3:1' in 'web[3:1]' begins after its end",
    ),
    "range of two widths": (
        "all:\n  hosts:\n    web[01:100]:\n",
        (
            "hosts.yaml:3: the range '01:100' in 'web[01:100]' has ends of different widths; "
            "write both with as many zeros"
        ),
    ),
    "range from a number to a letter": (
        "all:\n  hosts:\n    web[1:f]:\n",
        (
            "hosts.yaml:3: the range '1:f' in 'web[1:f]' has a number at one end and a letter at "
            "the other"
        ),
    ),
    "range that stands still": (
        "all:\n  hosts:\n    web[1:9:0]:\n",
        "hosts.yaml:3: the range '1:9:0' in 'web[1:9:0]' has a step of 0",
    ),
    "range without end": (
        "all:\n  hosts:\n    web[1:999][1:9999]:\n",
        "hosts.yaml:3: 'web[1:999][1:9999]' stands for more than 1,000,000 names",
    ),
    "brackets that are part of an address": (
        "all:\n  hosts:\n    web[::1]:\n",
        (
            "hosts.yaml:3: the host name 'web[::1]' has brackets in it, "
            "which only an IPv6 address may have"
        ),
    ),
    "bad host in a range": (
        "all:\n  hosts:\n    web[1:2]:0:\n",
        f"hosts.yaml:3: the port '0' {_PORT}",
    ),
    "host with two colons": (
        "all:\n  hosts:\n    web1:22:23:\n",
        "hosts.yaml:3: 'web1:22:23' is neither NAME:PORT nor an IPv6 address",
    ),
    "host with a bad port": (
        "all:\n  hosts:\n    web1:0:\n",
        f"hosts.yaml:3: the port '0' {_PORT}",
    ),
    "one host with two ports": (
        "all:\n  hosts:\n    lab:2201:\n    lab:2202:\n",
        (
            "hosts.yaml:4: host 'lab' stands in hosts.yaml:3 with another port or user; "
            "give the two different names, and say 'host:' below each"
        ),
    ),
    # variables
    "misspelt ansible_": (
        _host("ansible_hots: web1"),
        "hosts.yaml:4: there is no variable 'ansible_hots'; did you mean 'ansible_host'?",
    ),
    "misspelt, ours": (
        _host("site: ams", "usre: root"),
        "hosts.yaml:5: there is no variable 'usre'; did you mean 'user'?",
    ),
    "no value": (_host("port:"), "hosts.yaml:4: port: it has no value"),
    "null": (_host("user: ~"), "hosts.yaml:4: user: it has no value"),
    "empty text": (_host("user: ''"), "hosts.yaml:4: user: it has no value"),
    "list for a value": (
        _host("ansible_port: [22]"),
        "hosts.yaml:4: ansible_port: a single value is wanted, and this is a list",
    ),
    "mapping for a value": (
        _host("password: {secret: hunter2}"),
        "hosts.yaml:4: password: a single value is wanted, and this is a mapping",
    ),
    "port 0": (_host("port: 0"), f"hosts.yaml:4: port: the port '0' {_PORT}"),
    "port 65558": (_host("port: 65558"), f"hosts.yaml:4: port: the port '65558' {_PORT}"),
    "port in base 60": (_host("port: 22:22"), f"hosts.yaml:4: port: the port '22:22' {_PORT}"),
    "port in base 16": (_host("port: 0x16"), f"hosts.yaml:4: port: the port '0x16' {_PORT}"),
    "port in base 8": (_host("port: 022"), f"hosts.yaml:4: port: the port '022' {_PORT}"),
    "port is a float": (_host("port: 22.0"), f"hosts.yaml:4: port: the port '22.0' {_PORT}"),
    "port in Arabic digits": (
        _host("port: '\u0662\u0662'"),
        f"hosts.yaml:4: port: the port '\u0662\u0662' {_PORT}",
    ),
    "address with a port": (
        _host("host: 192.0.2.1:22"),
        (
            "hosts.yaml:4: host: the address '192.0.2.1:22' has ':' in it; "
            "a port goes into ansible_port"
        ),
    ),
    "address for the shell": (
        _host("host: $(id)"),
        "hosts.yaml:4: host: the address '$(id)' has '$' in it, which is not allowed",
    ),
    "user with a space": (
        _host("user: a b"),
        "hosts.yaml:4: user: the user 'a b' has ' ' in it, which is not allowed",
    ),
    "host keys": (
        _host("host_keys: maybe"),
        "hosts.yaml:4: host_keys: 'maybe' is not one of strict, accept-new, off",
    ),
    "switch": (
        _host("ansible_host_key_checking: never"),
        (
            "hosts.yaml:4: ansible_host_key_checking: 'never' is not one of "
            "yes, no, true, false, on, off, 1, 0"
        ),
    ),
    "seconds with a unit": (
        _host("connect_timeout: 10s"),
        f"hosts.yaml:4: connect_timeout: '10s' {_SECONDS}",
    ),
    "no seconds": (_host("ansible_timeout: 0"), f"hosts.yaml:4: ansible_timeout: '0' {_SECONDS}"),
    "endless seconds": (
        _host("command_timeout: inf"),
        f"hosts.yaml:4: command_timeout: 'inf' {_SECONDS}",
    ),
    "no known_hosts": (
        _host("known_hosts: []"),
        "hosts.yaml:4: known_hosts: a single value is wanted, and this is a list",
    ),
}


OTHER_FILES: dict[str, tuple[dict[str, str], str]] = {
    # INI
    "INI: spaces in a section": (
        {"hosts": "web1\n[web servers]\n"},
        (
            "hosts:2: '[web servers]' is no section: sections are [GROUP], [GROUP:vars] and "
            "[GROUP:children], without spaces"
        ),
    ),
    "INI: misspelt kind": (
        {"hosts": "[web:children]\n[web:var]\n"},
        "hosts:2: [web:var] is no kind of section; did you mean [web:vars]?",
    ),
    "INI: unknown kind": (
        {"hosts": "[web:x]\n"},
        "hosts:1: [web:x] is no kind of section; vars and children are",
    ),
    "INI: words behind a host": (
        {"hosts": "web1 ansible_password=hunter2 hunter3\n"},
        "hosts:1: what follows a host is NAME=VALUE; quote a value with spaces",
    ),
    "INI: value without a name": (
        {"hosts": "web1 =x\n"},
        "hosts:1: what follows a host is NAME=VALUE; quote a value with spaces",
    ),
    "INI: open quote": (
        {"hosts": "web1 site='ams\n"},
        "hosts:1: its quotes do not match (No closing quotation)",
    ),
    "INI: variable without a value": (
        {"hosts": "[web]\n[web:vars]\nsite\n"},
        "hosts:3: NAME=VALUE belongs here, in the variables of 'web'",
    ),
    "INI: child with a value": (
        {"hosts": "[web:children]\ndb x=1\n"},
        "hosts:2: the name of a group belongs here, one on each line, not 'db x=1'",
    ),
    "INI: children that are no group": (
        {"hosts": "web1\n[web]\n[prod:children]\nwbe\n"},
        "hosts:4: there is no group 'wbe'; did you mean web?",
    ),
    "INI: variables of no group": (
        {"hosts": "web1\n[wbe:vars]\nx=1\n[web]\n"},
        "hosts:2: there is no group 'wbe'; did you mean web?",
    ),
    "INI: all as a child": (
        {"hosts": "[web:children]\nall\n"},
        "hosts:2: 'all' holds every group and is no child of one",
    ),
    "INI: circle": (
        {"hosts": "web1\n[a:children]\nb\n[b:children]\na\n"},
        "hosts:5: group 'a' is its own ancestor: a > b > a",
    ),
    "INI: port": (
        {"hosts": "web1 ansible_port=22x\n"},
        f"hosts:1: ansible_port: the port '22x' {_PORT}",
    ),
    "INI: misspelt variable": (
        {"hosts": "[all:vars]\nansible_usr=root\n"},
        "hosts:2: there is no variable 'ansible_usr'; did you mean 'ansible_user'?",
    ),
    "INI: priority": (
        {"hosts": "[web]\n[web:vars]\nansible_group_priority=high\n"},
        "hosts:3: ansible_group_priority: it is not a whole number",
    ),
    "INI: the port of a host in two places": (
        {"hosts": "lab:2201\n[web]\nlab:2202\n"},
        (
            "hosts:3: host 'lab' stands in hosts:1 with another port or user; "
            "give the two different names, and say 'host:' below each"
        ),
    ),
    # which layout
    "TOML": ({"hosts.toml": "[web]\n"}, "hosts.toml: TOML is not read; write YAML, JSON or INI"),
    "script that cannot be run": (
        {"hosts.py": "#!/usr/bin/python3\n"},
        "hosts.py: it begins as a script does, and is not executable: chmod +x it",
    ),
    "YAML without an ending": (
        {"hosts": "---\nweb: [1]\n"},
        f"hosts:2: group 'web' is a list; {_MAPPING}",
    ),
    "JSON": (
        {"hosts.json": '{"all": {\n"hosts": [}}'},
        ("hosts.json:2: this is not JSON: did not find expected node content"),
    ),
    # the layout of scripts, in a file
    "--list: hosts": (
        {"list.json": '{"_meta": {},\n"web": {"hosts": "web1"}}'},
        "list.json:2: 'hosts' of group 'web' is a single value; a list belongs here",
    ),
    "--list: children": (
        {"list.json": '{"_meta": {},\n"web": {"children": {"a": 1}}}'},
        "list.json:2: 'children' of group 'web' is a mapping; a list belongs here",
    ),
    "--list: a name": (
        {"list.json": '{"web": {"hosts": ["web1",\n["web2"]]}}'},
        "list.json:2: a name belongs here, and this is a list",
    ),
    "--list: vars": (
        {"list.json": '{"web": {"hosts": ["web1"], "vars": [1]}}'},
        "list.json:1: 'vars' of group 'web' is a list; a mapping belongs here",
    ),
    "--list: neither": (
        {"list.json": '{"_meta": {},\n"web": {"host": ["web1"]}}'},
        "list.json:2: group 'web' has neither hosts nor vars nor children",
    ),
    "--list: group": (
        {"list.json": '{"_meta": {},\n"web": "web1"}'},
        "list.json:2: group 'web' is a single value; a mapping belongs here",
    ),
    "--list: hostvars": (
        {"list.json": '{"_meta": {"hostvars": [1]}}'},
        "list.json:1: 'hostvars' is a list; a mapping belongs here",
    ),
    "--list: variables of a host": (
        {"list.json": '{"_meta": {"hostvars": {"web1": [1]}}, "web": ["web1"]}'},
        "list.json:1: what there is of host 'web1' is a list; a mapping belongs here",
    ),
    # beside the inventory
    "group_vars: list": (
        {"hosts": "[web]\nweb1\n", "group_vars/web.yml": "\n- a: 1\n"},
        "group_vars/web.yml:2: a file of variables has a 'name:' on each line, and this is a list",
    ),
    "group_vars: YAML": (
        {"hosts": "[web]\nweb1\n", "group_vars/web/main.yml": "a: b: c\n"},
        (
            "group_vars/web/main.yml:1: this is not YAML: "
            "mapping values are not allowed in this context"
        ),
    ),
    "host_vars: port": (
        {"hosts": "web1\n", "host_vars/web1": "a: 1\nport: 0\n"},
        f"host_vars/web1:2: port: the port '0' {_PORT}",
    ),
    "group_vars that is a file": (
        {"hosts": "web1\n", "group_vars": "a: 1\n"},
        "group_vars: it cannot be read: Not a directory",
    ),
    # what is handed on to ssh
    "ssh: quotes": (
        {"hosts": "[all:vars]\nansible_ssh_common_args=-o 'Port\n[x]\nweb1\n"},
        "hosts:2: ansible_ssh_common_args: its quotes do not match",
    ),
    "ssh: port": (
        {"hosts": "web1 ansible_ssh_extra_args='-p 0'\n"},
        f"hosts:1: ansible_ssh_extra_args: the port '0' {_PORT}",
    ),
    "ssh: user": (
        {"hosts": "web1 ansible_ssh_args='-o User=\"a b\"'\n"},
        "hosts:1: ansible_ssh_args: the user 'a b' has ' ' in it, which is not allowed",
    ),
    "ssh: StrictHostKeyChecking": (
        {"hosts": "web1 ansible_ssh_args='-o StrictHostKeyChecking=maybe'\n"},
        (
            "hosts:1: ansible_ssh_args: StrictHostKeyChecking 'maybe' is not one of "
            "yes, ask, accept-new, no, off"
        ),
    ),
    "ssh: ConnectTimeout": (
        {"hosts": "web1 ansible_ssh_args='-o ConnectTimeout=none'\n"},
        "hosts:1: ansible_ssh_args: ConnectTimeout 'none' is not a positive number of seconds",
    ),
    "ssh: no file": (
        {"hosts": "web1 ansible_ssh_args='-i'\n"},
        "hosts:1: ansible_ssh_args: an option that names a file has no value",
    ),
    "ssh: jump hosts": (
        {"hosts": "web1 ansible_ssh_args='-J a:b:c'\n"},
        "hosts:1: ansible_ssh_args: 'a:b:c' is no jump host; write USER@NAME:PORT",
    ),
    "jump host like an option": (
        {"hosts": "web1 jump=-oProxyCommand=id\n"},
        "hosts:1: jump: the jump host '-oProxyCommand=id' begins with '-', as an option does",
    ),
}


def _load(*sources: str, bounds: Mapping[str, object] | None = None) -> Ask:
    """Return what loads the sources, with other bounds (module.NAME) than the usual ones."""

    def ask(monkeypatch: pytest.MonkeyPatch) -> object:
        for name, bound in (bounds or {}).items():
            monkeypatch.setattr(f"fleetrun.inventory.{name}", bound)
        return Inventory.load(sources).select()

    return ask


def _load_pipe(_: pytest.MonkeyPatch) -> object:
    os.mkfifo("pipe")
    return Inventory.load("pipe")


def _load_beside_link_to(target: str) -> Ask:
    """Return what loads a host whose variables are a link."""

    def ask(_: pytest.MonkeyPatch) -> object:
        Path("hosts").write_text("web1\n")
        Path("host_vars").mkdir()
        Path("host_vars/web1").symlink_to(target)
        return Inventory.load("hosts")

    return ask


def _load_closed_input(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr("sys.stdin", None)
    return Inventory.load("-")


def _choose(**parts: object) -> Ask:
    """Return what chooses of a few hosts."""

    def ask(_: pytest.MonkeyPatch) -> object:
        hosts = {"web1": "{site: ams, api_token: x}", "web2": "{site: fra}"}
        lines = "".join(f"    {name}: {variables}\n" for name, variables in hosts.items())
        Path("hosts.yaml").write_text(f"web:\n  hosts:\n{lines}")
        return Inventory.load("hosts.yaml").select(Targets(**parts))  # type: ignore[arg-type]

    return ask


def _said_of_a_nul() -> str:
    """Return what Python says of a NUL in a path, which differs between its versions."""
    with pytest.raises(ValueError, match="null") as caught:
        Path("a\0b").stat()
    return str(caught.value)


_A_FILTER = (
    "write NAME=VALUE, NAME!=VALUE, NAME~REGEX or NAME!~REGEX, and quote a value with spaces"
)

ASKED: dict[str, tuple[dict[str, str], Ask, str]] = {
    # the source
    "source: empty": ({}, _load(""), "-i: the name of the inventory is empty"),
    "source: not there": (
        {},
        _load("web1"),
        "web1: there is no such file; a list of hosts is written with a comma: 'web1,web2,'",
    ),
    "source: below a file": (
        {"hosts": "web1\n"},
        _load("hosts/x"),
        "hosts/x: it cannot be read: Not a directory",
    ),
    "source: NUL": ({}, _load("a\0b"), f"a\0b: it cannot be read: {_said_of_a_nul()}"),
    "source: pipe": ({}, _load_pipe, "pipe: it is not an ordinary file"),
    "source: no standard input": (
        {},
        _load_closed_input,
        "standard input: there is no standard input",
    ),
    "source: folders in folders": (
        {"a/b/c/hosts": "web1\n"},
        _load("a", bounds={"source.MAX_FOLDERS": 2}),
        "a/b/c/hosts: folders stand more than 2 levels deep in each other",
    ),
    "source: too large": (
        {"hosts": "web1\n" * 500_000},
        _load("hosts", bounds={"files.MAX_BYTES": 1 << 20}),
        "hosts: it is larger than 1 MiB",
    ),
    "source: too many hosts": (
        {"hosts": "web1\nweb2\nweb3\n"},
        _load("hosts", bounds={"draft.MAX_HOSTS": 2}),
        "hosts:3: there are more than 2 hosts",
    ),
    "source: too many aliases": (
        {"hosts.yaml": "all:\n  vars: {a: &a [1, 2, 3],\n    b: [*a, *a], c: [*a, *a]}\n"},
        _load("hosts.yaml", bounds={"yaml_tree.MAX_ALIASED": 10}),
        "hosts.yaml:3: aliases expand to more than 10 values",
    ),
    "source: hosts on the spot, a range": (
        {},
        _load("web[3:1],"),
        "-i: the range '3:1' in 'web[3:1]' begins after its end",
    ),
    "source: hosts on the spot, a name": (
        {},
        _load("a;b,"),
        "-i: 'a;b': the host name 'a;b' has ';' in it, which is not allowed",
    ),
    "source: one name for several": (
        {},
        lambda _: Inventory.of("web1"),
        "host list: 'web1' is one name; give a list of them",
    ),
    "source: a link to nowhere": (
        {},
        _load_beside_link_to("nowhere"),
        "host_vars/web1: there is no such file",
    ),
    "source: a link to itself": (
        {},
        _load_beside_link_to("web1"),
        "host_vars/web1: it cannot be read: Too many levels of symbolic links",
    ),
    "source: known_hosts, NUL": (
        {},
        _load("known_hosts:a\0b"),
        f"a\0b: it cannot be read: {_said_of_a_nul()}",
    ),
    "source: ssh_config": (
        {"config": "Host web1\n Port 0\n"},
        _load("ssh_config:config"),
        "config:2: port 0 is not between 1 and 65535",
    ),
    "source: a host of ssh_config": (
        {"others": "Host a;b\n"},  # files of a name are read once a process
        _load("ssh_config:others"),
        "others: the host name 'a;b' has ';' in it, which is not allowed",
    ),
    # scripts
    "script: fails": (
        {"script": "#!/bin/sh\necho no cloud >&2; exit 3\n"},
        _load("script"),
        "script --list: it ended with status 3: no cloud",
    ),
    "script: cannot be run": (
        {"script": "#!/nowhere/sh\n"},
        _load("script"),
        "script --list: it cannot be run: No such file or directory",
    ),
    "script: does not end": (
        {"script": "#!/bin/sh\nsleep 600\n"},
        _load("script", bounds={"script.TIMEOUT_S": 0.2}),
        "script --list: it did not end within 0.2 s",
    ),
    "script: prints too much": (
        {"script": "#!/bin/sh\nwhile :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n"},
        _load("script", bounds={"script.MAX_BYTES": 1000}),
        "script --list: it prints more than 0 MiB",
    ),
    "script: prints nothing": (
        {"script": "#!/bin/sh\n"},
        _load("script"),
        "script --list: it prints nothing; an inventory as JSON is wanted",
    ),
    "script: prints something else": (
        {"script": "#!/bin/sh\necho web1\n"},
        _load("script"),
        "script --list: it prints something else than a JSON object",
    ),
    # what is needed to connect
    "needed: a template": (
        {"hosts": "web1 ansible_port={{x}}\n"},
        _load("hosts"),
        (
            "hosts:1: 'ansible_port' of host 'web1' is a Jinja template, which fleetrun does not "
            "evaluate; write the value itself"
        ),
    ),
    # what beats the inventory
    "option: --port": (
        {},
        lambda _: Overrides(port=0),
        "--port: 0 is not between 1 and 65535",
    ),
    "option: --user": (
        {},
        lambda _: Overrides(user="-x"),
        "--user: the user '-x' begins with '-', as an option does",
    ),
    "option: --connect-timeout": (
        {},
        lambda _: Overrides(connect_timeout_s=0.0),
        "--connect-timeout: 0.0 is not a positive number of seconds",
    ),
    # patterns
    "pattern: empty": (
        {},
        _choose(limit=""),
        "--limit: the pattern is empty; leave the option out to mean every host",
    ),
    "pattern: nothing behind a mark": (
        {},
        _choose(limit="web:!"),
        "--limit: a name belongs after '&' and '!'",
    ),
    "pattern: no such name": (
        {},
        _choose(limit="wbe"),
        "--limit: 'wbe' is no host or group; did you mean web?",
    ),
    "pattern: nothing left": (
        {},
        _choose(limit="web1:!web"),
        "--limit: 'web1:!web' leaves no host",
    ),
    "pattern: nothing left of two": (
        {},
        _choose(hosts="web1", limit="web2"),
        "--limit: 'web2' leaves no host",
    ),
    "pattern: not so many": (
        {},
        _choose(limit="web[7]"),
        "--limit: 'web[7]' is not there: 'web' has 2 hosts",
    ),
    "pattern: a range": (
        {},
        _choose(limit="db[3-1]"),
        "--limit: the range '3-1' in 'db[3-1]' begins after its end",
    ),
    "pattern: no regular expression": (
        {},
        _choose(limit="~web["),
        "--limit: '~web[' is not a regular expression: unterminated character set at position 3",
    ),
    "pattern: files that name each other": (
        {"list": "@list\n"},
        _choose(limit="@list"),
        "--limit: @list: files name each other more than 16 levels deep",
    ),
    # filters
    "filter: nothing left": ({}, _choose(where="site=x"), "--where: 'site=x' leaves no host"),
    "filter: no such variable": (
        {},
        _choose(where="stie=x"),
        "--where: at character 1: no host has a variable 'stie'; did you mean site?",
    ),
    "filter: a secret": (
        {},
        _choose(where="api_token=x"),
        "--where: 'api_token' is a secret, which no filter is told",
    ),
    "filter: no comparison": (
        {},
        _choose(where="site"),
        f"--where: at character 1: 'site' was not expected; {_A_FILTER}",
    ),
    "filter: two without a word between": (
        {},
        _choose(where="site=ams site=fra"),
        ("--where: at character 10: 'site=fra' was not expected; 'and' or 'or' belongs before it"),
    ),
    "filter: an open bracket": (
        {},
        _choose(where="(site=ams"),
        "--where: at character 10: the filter ends here; ')' is missing",
    ),
    "filter: too many brackets": (
        {},
        _choose(where="(" * 51 + "site=ams"),
        (
            "--where: at character 52: 'site=ams' was not expected; "
            "more than 50 brackets stand in each other"
        ),
    ),
    "filter: no regular expression": (
        {},
        _choose(where="site~["),
        (
            "--where: at character 6: [ is not a regular expression: "
            "unterminated character set at position 0"
        ),
    ),
    # a few of them
    "pick: none": (
        {},
        lambda _: Targets(pick=0),
        "--pick 0: at least one host has to be picked",
    ),
    "pick: a seed alone": (
        {},
        lambda _: Targets(seed=1),
        "--seed is for --pick, which was not given",
    ),
}

Content = str | bytes
TABLE: dict[str, tuple[Mapping[str, Content], Ask, str]] = {
    **{
        name: ({"hosts.yaml": text}, _load("hosts.yaml"), message)
        for name, (text, message) in MISTAKES.items()
    },
    **{
        name: (files, _load(next(iter(files))), message)
        for name, (files, message) in OTHER_FILES.items()
    },
    **ASKED,
}


def _error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, Content], ask: Ask
) -> UsageError:
    """Return the error that is raised in the folder, once the files are in it."""
    folder.mkdir()
    config._load.cache_clear()  # a file of that name may have been read already
    monkeypatch.chdir(folder)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o755 if name == "script" else 0o644)
    with pytest.raises(UsageError) as caught:
        ask(monkeypatch)
    return caught.value


@pytest.mark.parametrize(("files", "ask", "message"), TABLE.values(), ids=TABLE)
def test_a_mistake_is_named_with_its_file_and_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Mapping[str, Content],
    ask: Ask,
    message: str,
) -> None:
    assert str(_error(tmp_path / "here", monkeypatch, files, ask)) == message


def _places_that_raise() -> Iterator[tuple[str, str, range]]:
    """Yield the file, what it raises, and the lines, for each error that a user may see.

    Left out is the TypeError for a broken YAML parser, which is a bug and no mistake of a user's.
    """
    for file in sorted(Path(fleetrun.inventory.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            raised = node.exc if isinstance(node, ast.Raise) else _failing(node)
            if raised is not None and not ast.unparse(raised).startswith("TypeError("):
                assert isinstance(node, ast.stmt)
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                yield str(file), ast.unparse(raised), lines


def _failing(node: ast.AST) -> ast.expr | None:
    """Return the call of a method `_fail`, if the node is one: it raises what it is given."""
    call = node.value if isinstance(node, ast.Expr) else None
    named = call.func if isinstance(call, ast.Call) else None
    return call if isinstance(named, ast.Attribute) and named.attr == "_fail" else None


def _lines_of(error: BaseException | None) -> Iterator[tuple[str, int]]:
    """Yield the lines that the error came by, and those of the errors that it was made of."""
    while error is not None:
        at = error.__traceback__
        while at is not None:
            yield at.tb_frame.f_code.co_filename, at.tb_lineno
            at = at.tb_next
        error = error.__cause__ or error.__context__


def test_every_error_of_the_loader_is_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: set[tuple[str, int]] = set()
    for number, (files, ask, _) in enumerate(TABLE.values()):
        with monkeypatch.context() as patch:
            reached |= {*_lines_of(_error(tmp_path / f"{number}", patch, files, ask))}

    places = list(_places_that_raise())
    covered = {
        (file, raised)
        for file, raised, lines in places
        if not reached.isdisjoint((file, line) for line in lines)
    }
    assert [
        f"{file}:{it.start} {raised}"
        for file, raised, it in places
        if (file, raised) not in covered
    ] == []
    assert len(places) > 100  # they were looked for in the right files


def test_an_error_carries_its_source_and_line_apart_from_its_sentence(load: Load) -> None:
    with pytest.raises(InventoryError) as caught:
        load(_host("port: 0"))
    assert caught.value.source == "hosts.yaml"
    assert caught.value.line == 4
    assert not caught.value.message.startswith("hosts.yaml")


@pytest.mark.parametrize("name", ["nowhere.yaml", "web1"])
def test_a_missing_file_hints_at_how_a_list_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InventoryError) as caught:
        Inventory.load(path)
    assert str(caught.value) == (
        f"{path}: there is no such file; a list of hosts is written with a comma: 'web1,web2,'"
    )


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InventoryError, match="pipe: it is not an ordinary file"):
        Inventory.load(tmp_path / "pipe")


def test_an_unreadable_file_gives_the_systems_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("all:\n")

    def refuse(*_: object) -> None:  # permission bits do not hold root back
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InventoryError, match="it cannot be read: Permission denied"):
        Inventory.load(path)


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 5000, "too long"), ("a\0b", "null")], ids=["long", "NUL"]
)
def test_an_impossible_path_is_an_inventory_error(name: str, reason: str) -> None:
    with pytest.raises(InventoryError, match=f"it cannot be read: .*{reason}"):
        Inventory.load(name)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleetrun.inventory.files.MAX_BYTES", 1 << 20)
    path = tmp_path / "hosts.yaml"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(InventoryError, match="it is larger than 1 MiB"):
        Inventory.load(path)


def test_no_message_and_no_warning_shows_a_password(load: Load) -> None:
    for value in ("[hunter2]", "{a: hunter2}", "'hunter2 {{ x }}'"):
        with pytest.raises(InventoryError) as caught:
            load(_host(f"ansible_password: {value}")).select()
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(load(_host("ansible_password: 'hunter2 {{ x }}'")).warnings)
