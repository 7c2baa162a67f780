"""`fleetrun explain`: what it shows, and that it connects only when it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "ssh_config"
    path.write_text(
        "Host web1\n HostName web.example\n Port 2222\n IdentityFile /nowhere/key\n"
        " ProxyJump ann@bastion\n ForwardAgent yes\n"
        "Match exec true\n User nobody\n"
    )
    return str(path)


def test_every_setting_is_shown_with_its_source(fleetrun: CommandLine, config: str) -> None:
    shown = fleetrun("explain", "-i", "root@web1,", "-F", config, "web1")

    lines = {line.split()[0]: line.split() for line in shown.out.splitlines() if line.strip()}
    assert lines["address"] == ["address", "web.example", f"{config}:2"]
    assert lines["user"] == ["user", "root", "-i"]
    assert lines["port"][1:] == ["2222", f"{config}:3"]
    assert lines["login_timeout_s"] == ["login_timeout_s", "30", "default"]
    assert shown.code == 0


def test_the_way_is_shown_and_what_could_not_work(fleetrun: CommandLine, config: str) -> None:
    shown = fleetrun("explain", "-i", "web1,", "-F", config, "web1").out

    assert "1. bastion: ann@bastion port 22" in shown
    assert "2. web1: " in shown
    assert "! /nowhere/key: the private key cannot be read: no such file" in shown
    assert "! no host key is known of [web.example]:2222" in shown
    assert "key exchange: curve25519-sha256" in shown
    assert f"forwardagent yes  ({config}:6)" in shown
    assert f"! {config}:7: Match exec is never run" in shown


def test_without_an_inventory_a_host_is_what_ssh_would_take_it_for(
    fleetrun: CommandLine, config: str
) -> None:
    assert "web.example" in fleetrun("explain", "-F", config, "web1").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-i", "a,b,", "all"), "'all' means 2 hosts; explain takes one"),
        (("-i", "a,b,", "-l", "a", "a"), "options that select hosts do not go with explain"),
    ],
)
def test_it_takes_one_host(fleetrun: CommandLine, arguments: tuple[str, ...], message: str) -> None:
    shown = fleetrun("explain", *arguments)
    assert shown.code == 2
    assert message in shown.err


LOCKED = "all: {hosts: {web1: {ansible_password: '{{ x }}', ansible_connection: docker}}}\n"


def test_what_keeps_a_host_from_being_connected_to_is_told_with_all_the_rest(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(LOCKED)

    shown = fleetrun("explain", "web1")

    assert shown.code == 0
    assert "  ! hosts.yaml:1: 'ansible_password' of host 'web1' is a Jinja template" in shown.out
    assert "  ! hosts.yaml:1: 'ansible_connection' of host 'web1' is 'docker'" in shown.out
    assert "1. web1: " in shown.out
    assert "key exchange: " in shown.out


def test_a_host_that_cannot_be_connected_to_is_not_checked(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text(LOCKED)

    shown = fleetrun("explain", "web1", "--check")

    assert shown.code == 2
    assert "error: hosts.yaml:1: 'ansible_password' of host 'web1' is a Jinja template" in shown.err
    assert "check" not in shown.out


def test_a_password_that_is_given_takes_the_place_of_one_that_cannot_be_known(
    fleetrun: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {web1: {ansible_password: '{{ x }}'}}}\n")
    (tmp_path / "secret").write_text("hunter2\n")

    shown = fleetrun("explain", "web1", "--password-file", str(tmp_path / "secret"))

    assert "log in with: the password" in shown.out
    assert "  password  " in shown.out
    assert "-k or --password-file\n" in shown.out
    assert "is a Jinja template" not in shown.out
    assert "hunter2" not in shown.out


def test_a_check_that_ends_early_says_in_which_phase(fleetrun: CommandLine, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.touch()
    shown = fleetrun(
        "explain", "-i", "127.0.0.1:1,", "--known-hosts", str(known), "127.0.0.1", "--check"
    )
    assert shown.code == 4
    assert "resolve 0." in shown.out
    assert "ended in connect: 127.0.0.1:1: connection refused" in shown.out
