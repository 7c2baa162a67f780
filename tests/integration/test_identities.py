"""Which keys are offered, in which order: ssh's rules for IdentityFile and its companions."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paramiko.agent import AgentKey
from servers import ServerAccount, make_key, start_sshd, wait_until

from fleetrun import Fleet, Host, Result
from fleetrun.ssh import keys
from fleetrun.ssh.agent import agent_keys

pytestmark = [pytest.mark.sshd, pytest.mark.long]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    asked: list[AgentKey] = []

    def remembered(where: str) -> list[AgentKey]:
        asked.extend(found := agent_keys(where))
        return found

    monkeypatch.setattr(keys, "agent_keys", remembered)
    yield
    keys._own_keys.cache_clear()
    for key in asked:
        key.agent.close()


@pytest.fixture
def agent() -> Iterator[Callable[..., str]]:
    """Return what puts keys into a real agent and returns where that is."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "agent"
        with subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(place)],
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        ) as process:
            wait_until(place.exists)

            def holding(*paths: Path | str) -> str:
                subprocess.run(
                    ["ssh-add", "-q", *map(str, paths)],
                    check=True,
                    env={"SSH_AUTH_SOCK": str(place)},
                )
                return str(place)

            try:
                yield holding
            finally:
                process.terminate()


def exec_on(host: Host) -> Result:
    with Fleet([host], mode="threads") as fleet:
        return fleet.exec("true")["web1"]


def offers(server: ServerAccount) -> int:
    """Return how many keys the server refused."""
    assert server.log is not None
    return server.log.read_text().count("Failed publickey")


def host_on(server: ServerAccount, **changes: object) -> Host:
    return server.host("web1", private_key=None, identity_agent=None, identity_files=(), **changes)


def others(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"other{number}" for number in range(count)]
    for path in paths:
        make_key(path)
    return paths


def test_identity_files_are_offered_in_their_order(tmp_path: Path) -> None:
    (first,) = others(tmp_path, 1)
    with start_sshd(tmp_path, ["LogLevel VERBOSE"]) as server:
        host = host_on(server)
        files = (str(first), server.private_key)
        assert exec_on(dataclasses.replace(host, identity_files=files)).ok
        assert offers(server) == 1


def test_the_agents_key_that_a_file_names_comes_before_its_others(
    tmp_path: Path, agent: Callable[..., str]
) -> None:
    """The file may be the public key alone."""
    with start_sshd(tmp_path, ["LogLevel VERBOSE"]) as server:
        socket = agent(*others(tmp_path, 4), server.private_key)
        public = tmp_path / "only.pub"
        shutil.copyfile(f"{server.private_key}.pub", public)
        host = dataclasses.replace(host_on(server), identity_agent=socket)
        assert exec_on(dataclasses.replace(host, identity_files=(str(public),))).ok
        assert offers(server) == 0


def test_identities_only_keeps_the_agents_other_keys_back(
    tmp_path: Path, agent: Callable[..., str]
) -> None:
    (named,) = others(tmp_path, 1)
    with start_sshd(tmp_path) as server:
        host = dataclasses.replace(
            host_on(server),
            identity_agent=agent(server.private_key),
            identity_files=(str(named),),
        )
        assert exec_on(host).ok
        refused = exec_on(dataclasses.replace(host, identities_only=True))
        assert refused.error is not None
        assert refused.error.count("SHA256:") == 1


def test_a_certificate_is_offered_with_the_key_that_it_is_for(tmp_path: Path) -> None:
    user, authority = others(tmp_path, 2)
    with start_sshd(tmp_path, [f"TrustedUserCAKeys {authority}.pub"]) as server:
        name = server.user
        subprocess.run(
            ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", name, f"{user}.pub"],
            check=True,
        )
        certificate = tmp_path / "elsewhere"
        (tmp_path / f"{user.name}-cert.pub").rename(certificate)
        host = dataclasses.replace(host_on(server), identity_files=(str(user),))
        assert not exec_on(host).ok
        assert exec_on(dataclasses.replace(host, certificate_files=(str(certificate),))).ok


def test_a_certificate_goes_with_a_key_of_the_agent_too(
    tmp_path: Path, agent: Callable[..., str]
) -> None:
    user, authority = others(tmp_path, 2)
    with start_sshd(tmp_path, [f"TrustedUserCAKeys {authority}.pub"]) as server:
        socket = agent(user)
        subprocess.run(
            ["ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", server.user, f"{user}.pub"],
            check=True,
        )
        host = dataclasses.replace(
            host_on(server),
            identity_agent=socket,
            certificate_files=(f"{user}-cert.pub",),
        )
        assert exec_on(host).ok


def test_a_named_file_that_cannot_be_used_is_told_when_the_login_is_refused(
    tmp_path: Path,
) -> None:
    with start_sshd(tmp_path) as server:
        make_key(tmp_path / "locked")
        subprocess.run(
            ["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(tmp_path / "locked")], check=True
        )
        files = (str(tmp_path / "locked"),)
        result = exec_on(dataclasses.replace(host_on(server), identity_files=files))
    assert result.error is not None
    assert f"not offered: {tmp_path}/locked: the private key is encrypted" in result.error


def test_known_hosts_is_asked_for_the_alias(tmp_path: Path) -> None:
    with start_sshd(tmp_path) as server:
        known = Path(server.known_hosts)
        known.write_text(known.read_text().replace(f"[127.0.0.1]:{server.port}", "the-alias"))
        assert not exec_on(server.host("web1")).ok
        assert exec_on(server.host("web1", host_key_alias="the-alias")).ok
        assert not exec_on(server.host("web1", host_key_alias="another")).ok
