"""Logging in to paramiko's own server, which takes what a test lets it take."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
import pytest
from host_key_pool import MadeKey, make_host_key
from scripted_peer import Server, connected

from fleetrun import Host, Secret
from fleetrun.errors import AuthError
from fleetrun.ssh import login
from fleetrun.ssh.keys import LoginKeys, read_key
from fleetrun.ssh.login import log_in

PASSWORD = "open sesame"


@dataclass
class Guard(Server):
    """A server that takes given keys, a password, or answers to questions.

    Attributes:
        takes: the methods that it names.
        known: blobs of the keys that it knows.
        password: the password that it knows.
        then: the methods that it wants after the first that was right; none for no more.
        questions: what it asks keyboard-interactively, round after round: prompt and echo.
        attempts: every attempt, by method.
        answers: what it was answered, round after round.
    """

    takes: str = "publickey"
    known: tuple[bytes, ...] = ()
    password: str = PASSWORD
    then: str = ""
    questions: tuple[tuple[tuple[str, bool], ...], ...] = ((("Password: ", False),),)
    attempts: list[str] = field(default_factory=list)
    answers: list[list[str]] = field(default_factory=list)

    def _judge(self, method: str, *, right: bool) -> int:
        self.attempts.append(method)
        if not right or method not in self.takes:
            return int(paramiko.AUTH_FAILED)
        if self.then:
            self.takes, self.then = self.then, ""
            return int(paramiko.AUTH_PARTIALLY_SUCCESSFUL)
        return int(paramiko.AUTH_SUCCESSFUL)

    def check_auth_none(self, username: str) -> int:  # noqa: ARG002
        return int(paramiko.AUTH_SUCCESSFUL if self.takes == "none" else paramiko.AUTH_FAILED)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        return self._judge("publickey", right=key.asbytes() in self.known)

    def check_auth_password(self, username: str, password: str) -> int:  # noqa: ARG002
        return self._judge("password", right=password == self.password)

    def check_auth_interactive(self, username: str, submethods: str) -> object:  # noqa: ARG002
        self.attempts.append("keyboard-interactive")
        return self._ask()

    def _ask(self) -> paramiko.InteractiveQuery:
        query = paramiko.InteractiveQuery("", "")
        for prompt, echo in self.questions[len(self.answers)]:
            query.add_prompt(prompt, echo)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> object:
        self.answers.append(list(responses))
        if len(self.answers) < len(self.questions):
            return self._ask()
        self.attempts.pop()
        return self._judge("keyboard-interactive", right=[self.password] in self.answers)


@pytest.fixture(autouse=True)
def offered(monkeypatch: pytest.MonkeyPatch) -> list[paramiko.PKey]:
    """Return the list of the keys that are offered; none of whoever runs the tests is."""
    keys: list[paramiko.PKey] = []
    monkeypatch.setattr(login, "login_keys", lambda _host: LoginKeys(keys=tuple(keys)))
    return keys


@pytest.fixture
def host() -> Host:
    """Return a host without a key and without a password."""
    return Host(name="web1", user="me")


@pytest.fixture
def key(tmp_path: Path, offered: list[paramiko.PKey]) -> MadeKey:
    """Return a key that is offered."""
    made = make_host_key(tmp_path / "key")
    offered.append(read_key(str(made.path)))
    return made


def refusal(guard: Guard, host: Host) -> str:
    """Log in in vain, and return why."""
    with connected(server=guard) as transport, pytest.raises(AuthError) as refused:
        log_in(transport, host)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


# --- let in --------------------------------------------------------------------------------------


def test_a_known_key_is_let_in(host: Host, key: MadeKey) -> None:
    guard = Guard(known=(key.public.blob,))
    with connected(server=guard) as transport:
        log_in(transport, host)
    assert guard.attempts == ["publickey"]


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_the_right_password_is_let_in_by_either_method(method: str, host: Host) -> None:
    guard = Guard(takes=method)
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == [method]


def test_of_two_ways_to_give_a_password_the_plain_one_is_taken(host: Host) -> None:
    guard = Guard(takes="keyboard-interactive,password")
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == ["password"]


@pytest.mark.usefixtures("key")
def test_a_refused_key_is_followed_by_the_password(host: Host) -> None:
    guard = Guard(takes="publickey,password")
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == ["publickey", "password"]


@pytest.mark.parametrize("second", ["password", "keyboard-interactive"])
def test_a_key_and_a_password_are_given_where_both_are_wanted(
    second: str, host: Host, key: MadeKey
) -> None:
    guard = Guard(known=(key.public.blob,), then=second)
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == ["publickey", second]


@pytest.mark.usefixtures("key")
def test_after_a_refused_key_a_method_that_the_host_does_not_take_is_not_tried(host: Host) -> None:
    guard = Guard(takes="publickey")
    refusal(guard, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == ["publickey"]


def test_a_host_that_wants_nothing_is_given_nothing(host: Host) -> None:
    guard = Guard(takes="none")
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.attempts == []


def test_words_before_the_question_are_listened_to(host: Host) -> None:
    guard = Guard(takes="keyboard-interactive", questions=((), (("Password: ", False),)))
    with connected(server=guard) as transport:
        log_in(transport, replace(host, password=Secret(PASSWORD)))
    assert guard.answers == [[], [PASSWORD]]


# --- refused -------------------------------------------------------------------------------------


def test_without_a_key_or_a_password_it_is_told_what_to_give(host: Host) -> None:
    guard = Guard()
    assert "--private-key" in refusal(guard, host)
    assert guard.attempts == []


def test_a_refused_key_is_named_and_tried_once(host: Host, key: MadeKey) -> None:
    guard = Guard()
    said = refusal(guard, host)
    assert f"me was refused with key ssh-ed25519 {key.public.fingerprint}" in said
    assert "it takes publickey" in said
    assert guard.attempts == ["publickey"]


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
def test_a_wrong_password_is_given_once(method: str, host: Host) -> None:
    guard = Guard(takes=method)
    said = refusal(guard, replace(host, password=Secret("wrong")))
    assert f"me was refused with {method}" in said
    assert "wrong" not in said
    assert guard.attempts == [method]


def test_a_second_factor_that_is_missing_is_told(host: Host, key: MadeKey) -> None:
    guard = Guard(known=(key.public.blob,), then="password")
    said = refusal(guard, host)
    assert f"it took key ssh-ed25519 {key.public.fingerprint}" in said
    assert "wants a second factor; it takes password" in said


def test_a_second_factor_that_is_wrong_is_told_as_such(host: Host, key: MadeKey) -> None:
    guard = Guard(known=(key.public.blob,), then="password")
    both = replace(host, password=Secret("wrong"))
    said = refusal(guard, both)
    assert "refused" in said
    assert "password" in said
    assert guard.attempts == ["publickey", "password"]


def test_the_key_that_was_taken_is_the_one_that_is_named(
    host: Host, key: MadeKey, tmp_path: Path, offered: list[paramiko.PKey]
) -> None:
    offered.insert(0, read_key(str(make_host_key(tmp_path / "other").path)))
    guard = Guard(known=(key.public.blob,), then="password")
    assert f"it took key ssh-ed25519 {key.public.fingerprint}" in refusal(guard, host)


QUESTIONS = {
    "one-time code": ((("Verification code: ", False),),),
    "OTP": ((("OTP: ", False),),),
    "password and code": ((("Password: ", False), ("Code: ", False)),),
    "shown": ((("Password: ", True),),),
    "login name": ((("login: ", True),),),
}


@pytest.mark.parametrize("asked", QUESTIONS)
def test_the_password_is_given_to_no_other_question(asked: str, host: Host) -> None:
    guard = Guard(takes="keyboard-interactive", questions=QUESTIONS[asked])
    said = refusal(guard, replace(host, password=Secret(PASSWORD)))
    assert QUESTIONS[asked][0][0][0] in said
    assert guard.answers == []


def test_a_question_that_comes_again_is_not_answered_again(host: Host) -> None:
    again = (("Password: ", False),)
    guard = Guard(takes="keyboard-interactive", questions=(again, again, again))
    refusal(guard, replace(host, password=Secret("wrong")))
    assert guard.answers == [["wrong"]]
