"""What a host is, and what is refused as one."""

from __future__ import annotations

import dataclasses
import getpass
import pickle
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetrun import Host, HostKeyPolicy, InventoryError, Secret
from fleetrun.hosts import DEFAULT_KNOWN_HOSTS, MAX_NAME_LENGTH, SHELL_CHARACTERS, current_user

CANARY = "correct horse battery staple"


def host_with(field: str, value: object) -> Host:
    """Return a host with the value in that field."""
    fields: dict[str, Any] = {"name": "web1", field: value}
    return Host(**fields)


# --- defaults ------------------------------------------------------------------------------------


def test_a_name_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    current_user.cache_clear()
    host = Host(name="web1")
    current_user.cache_clear()
    assert (host.address, host.port, host.user) == ("web1", 22, "me")
    assert (host.host_keys, host.known_hosts) == (HostKeyPolicy.STRICT, DEFAULT_KNOWN_HOSTS)
    assert (host.password, host.private_key, host.become_user) == (None, None, None)
    assert (host.connect_timeout_s, host.command_timeout_s) == (10.0, None)
    assert host.legacy_algorithms is False


def test_an_account_without_a_name_needs_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    current_user.cache_clear()
    with pytest.raises(InventoryError, match="--user"):
        Host(name="web1")
    assert Host(name="web1", user="me").user == "me"
    current_user.cache_clear()


def test_the_home_folder_of_known_hosts_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    host = Host(name="web1", known_hosts=("~/.ssh/known_hosts", "/etc/known"))
    assert host.key_files == (Path("/home/me/.ssh/known_hosts"), Path("/etc/known"))


# --- what is refused -----------------------------------------------------------------------------

WORDS = ["", "-oProxyCommand=x", "a b", "a\tb", "a\nb", "a\0b", "a\x1bb", "a\u202eb", "a\u200bb"]


@pytest.mark.parametrize("field", ["name", "address", "user", "become_user"])
@pytest.mark.parametrize("word", WORDS[1:], ids=ascii)
def test_a_word_that_could_mean_something_else_is_refused(field: str, word: str) -> None:
    with pytest.raises(InventoryError):
        host_with(field, word)


@pytest.mark.parametrize("field", ["name", "address"])
@pytest.mark.parametrize("character", SHELL_CHARACTERS)
def test_what_a_shell_gives_a_meaning_is_no_part_of_a_name(field: str, character: str) -> None:
    with pytest.raises(InventoryError) as refused:
        host_with(field, f"a{character}b")
    assert repr(character) in str(refused.value)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InventoryError):
        Host(name=name)


@pytest.mark.parametrize(
    ("length", "good"), [(MAX_NAME_LENGTH, True), (MAX_NAME_LENGTH + 1, False)]
)
def test_a_name_has_at_most_255_characters(length: int, *, good: bool) -> None:
    if good:
        assert len(Host(name="a" * length).name) == length
    else:
        with pytest.raises(InventoryError, match="256 characters; 255 are allowed"):
            Host(name="a" * length)


@pytest.mark.parametrize(
    "name", ["web1.example.com", "10.0.0.1", "::1", "fe80::1%eth0", "web_1", "grüße", "a/b"]
)
def test_names_that_people_use_are_taken(name: str) -> None:
    assert Host(name=name).address == name


@pytest.mark.parametrize("port", [-1, 0, 65536, 65558])
def test_a_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(InventoryError, match=f"port {port} is not between 1 and 65535"):
        Host(name="web1", port=port)


@pytest.mark.parametrize("port", [1, 22, 65535])
def test_a_port_in_range_is_taken(port: int) -> None:
    assert Host(name="web1", port=port).port == port


@pytest.mark.parametrize("field", ["connect_timeout_s", "login_timeout_s", "command_timeout_s"])
@pytest.mark.parametrize("seconds", [0, -1.0, float("inf"), float("nan")])
def test_a_time_that_is_no_positive_number_of_seconds_is_refused(
    field: str, seconds: float
) -> None:
    with pytest.raises(InventoryError, match=f"{field} must be a positive number of seconds"):
        host_with(field, seconds)


# --- plain data ----------------------------------------------------------------------------------


def full_host() -> Host:
    """Return a host with a value in every field."""
    return Host(
        name="web1",
        address="10.0.0.1",
        port=2222,
        user="me",
        password=Secret(CANARY),
        private_key="~/key",
        key_passphrase=Secret(CANARY),
        become_user="root",
        become_password=Secret(CANARY),
        command_timeout_s=5.0,
        groups=("web",),
        vars={"rack": 3},
        sources={"port": "hosts.yaml:3"},
    )


def test_a_host_crosses_process_boundaries_whole() -> None:
    host = full_host()
    again: Host = pickle.loads(pickle.dumps(host))  # noqa: S301 (our own)
    assert again == host
    assert again.sources == host.sources
    assert again.password is not None
    assert again.password.reveal() == CANARY


def test_a_host_cannot_be_changed() -> None:
    host = Host(name="web1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        host.port = 23  # type: ignore[misc]


def test_a_host_can_be_a_key_and_where_its_values_came_from_is_no_part_of_it() -> None:
    host = full_host()
    assert {host: 1}[replace(host, sources={})] == 1


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "show",
    [str, repr, ascii, "{}".format, "{!r}".format, "%s".__mod__],
    ids=["str", "repr", "ascii", "format", "format r", "percent"],
)
def test_a_secret_shows_itself_nowhere(show: Any) -> None:  # noqa: ANN401 (str's relatives)
    shown = show(Secret(CANARY))
    assert CANARY not in shown
    assert "***" in shown


def test_a_secret_is_in_no_repr_or_traceback_of_a_host() -> None:
    host = full_host()
    assert CANARY not in repr(host)
    with pytest.raises(InventoryError) as refused:
        replace(host, port=0)
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), "a"}) == 2
