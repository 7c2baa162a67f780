"""One value for each host: what is a placeholder, how its value is quoted, what is a mistake."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fleetrun import Host
from fleetrun.errors import UsageError
from fleetrun.hosts import Secret
from fleetrun.operations import Exec
from fleetrun.operations.template import (
    exec_for_each,
    fill_command,
    fill_path,
    get_for_each,
    put_for_each,
)

HOSTS = (
    Host(name="web1", vars={"rack": "a 1", "port": "8080", "quote": "it's; rm -rf /"}),
    Host(name="web2", vars={"rack": "b2", "port": "9090", "quote": "$(id)"}),
)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("echo {host}", "echo web1"),
        ("echo {index}/{count}", "echo 0/2"),
        ("echo {vars.rack}", "echo 'a 1'"),
        ("echo {vars.rack:raw}", "echo a 1"),
        ("curl localhost:{vars.port}/", "curl localhost:8080/"),
        ("echo {{host}}", "echo {host}"),
        ("echo ${HOME} ${host}", "echo ${HOME} ${host}"),
        ("awk '{print $1}' f{1..3} {a,b} {}", "awk '{print $1}' f{1..3} {a,b} {}"),
        ("{host}{host}", "web1web1"),
    ],
)
def test_a_placeholder_is_replaced_and_nothing_else(text: str, first: str) -> None:
    assert fill_command(text, HOSTS)[0] == first


def test_each_host_gets_its_own_value_in_the_order_of_the_hosts() -> None:
    assert fill_command("{index} {host} {vars.port}", HOSTS) == ("0 web1 8080", "1 web2 9090")


def test_whatever_is_in_a_value_a_shell_sees_one_word() -> None:
    for line, host in zip(fill_command("printf %s {vars.quote}", HOSTS), HOSTS, strict=True):
        said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
        assert said.stdout == host.vars["quote"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{hots}", "--template: there is no {hots}; there are {host}, {index}"),
        ("{vars.rack:quoted}", "only :raw may follow a name"),
        ("{vars.only}", "{vars.only} has no value on web2"),
        ("{vars.nowhere}", "{vars.nowhere} has no value on web[1-2]"),
        ("{vars.secret}", "{vars.secret} of host 'web1' is a secret"),
        ("{vars.list}", "{vars.list} of host 'web1' is a list"),
        ("{vars.jinja}", "{vars.jinja} of host 'web1' is a Jinja template"),
    ],
)
def test_a_placeholder_without_a_value_is_an_error_that_names_the_hosts(
    text: str, message: str
) -> None:
    odd = {"only": "x", "secret": Secret("s"), "list": ["x"], "jinja": "{{ y }}"}
    hosts = (Host(name="web1", vars=odd), Host(name="web2"))
    with pytest.raises(UsageError) as caught:
        fill_command(text, hosts)
    assert message in str(caught.value)


def test_a_value_in_a_path_is_not_quoted_and_leads_to_no_other_folder() -> None:
    assert fill_path("/srv/{vars.rack}", HOSTS) == ("/srv/a 1", "/srv/b2")
    up = (Host(name="web1", vars={"x": "../etc", "y": ".."}),)
    for name in ("x", "y"):
        with pytest.raises(UsageError, match="another folder"):
            fill_path(f"/srv/{{vars.{name}}}", up)
    assert fill_path("/srv/{vars.x:raw}", up) == ("/srv/../etc",)


def test_the_environment_is_set_by_the_command_line_itself() -> None:
    command = 'echo "$FLEETRUN_HOST $FLEETRUN_INDEX $FLEETRUN_COUNT"'
    for index, each in enumerate(exec_for_each(Exec(command=command), HOSTS, env_host=True)):
        said = subprocess.run(["sh", "-c", each.command], capture_output=True, check=True)
        assert said.stdout.decode() == f"web{index + 1} {index} 2\n"


def test_without_either_every_host_gets_the_very_same_operation() -> None:
    operation = Exec(command="echo {host}")
    assert all(each is operation for each in exec_for_each(operation, HOSTS))


def test_files_to_put_differ_by_host_and_have_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "web1.pem").touch()
    (tmp_path / "web2.pem").touch()
    puts = put_for_each([f"{tmp_path}/{{host}}.pem"], "/etc/{index}/", HOSTS)
    assert [each.sources[0].name for each in puts] == ["web1.pem", "web2.pem"]
    assert [each.target for each in puts] == ["/etc/0/", "/etc/1/"]
    with pytest.raises(UsageError, match=r"web1\.key: no such file"):
        put_for_each([f"{tmp_path}/{{host}}.key"], "", HOSTS)


def test_files_to_get_differ_by_host(tmp_path: Path) -> None:
    gets = get_for_each(["/var/{host}.log", "/etc/hosts"], tmp_path, HOSTS)
    assert [each.sources[0] for each in gets] == ["/var/web1.log", "/var/web2.log"]
    assert {each.target for each in gets} == {tmp_path}
