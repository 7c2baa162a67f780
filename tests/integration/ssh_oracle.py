"""What OpenSSH itself makes of an ssh_config file: `ssh -G -F file host`, read back."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetrun.errors import UsageError
from fleetrun.ssh.config import SshConfig
from fleetrun.ssh.config_blocks import ConfigFile
from fleetrun.ssh.config_settings import settings_of

LISTS = ("identityfile", "certificatefile", "userknownhostsfile", "globalknownhostsfile")
ONCE = (
    *("hostname", "user", "port", "hostkeyalias", "stricthostkeychecking", "identitiesonly"),
    *("identityagent", "serveraliveinterval", "serveralivecountmax", "connecttimeout"),
    *("proxyjump", "proxycommand"),
)
REFUSED = "refused"
Answer = dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A host to look up, and what the command line gives."""

    name: str
    user: str | None = None
    port: int | None = None


def require_ssh() -> str:
    """Return the path of ssh; without one, skip the test, or fail it when CI=true."""
    ssh = shutil.which("ssh")
    if ssh is not None:
        return ssh
    if os.environ.get("CI") == "true":
        pytest.fail("there is no ssh on this machine", pytrace=False)
    pytest.skip("there is no ssh on this machine")


def answer_of_ssh(file: Path, question: Question) -> Answer | str:
    """Return the options that ssh would use, by keyword, or `refused`."""
    arguments = [require_ssh(), "-G", "-F", str(file)]
    if question.user is not None:
        arguments += ["-l", question.user]
    if question.port is not None:
        arguments += ["-p", str(question.port)]
    done = subprocess.run(
        [*arguments, "--", question.name], capture_output=True, check=False, timeout=30
    )
    if done.returncode:
        return REFUSED
    found: Answer = {}
    for line in done.stdout.decode("utf-8", "surrogateescape").splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(_SHOWN_AS.get((keyword, value), value))
    return {keyword: found.get(keyword, []) for keyword in (*ONCE, *LISTS)}


_SHOWN_AS = {
    ("stricthostkeychecking", "true"): "yes",
    ("stricthostkeychecking", "false"): "no",
}
"""How ssh shows values that mean the same."""


@functools.cache
def defaults_of_ssh() -> Answer:
    """Return what ssh uses where the file says nothing."""
    answer = answer_of_ssh(Path("/dev/null"), Question(name="x"))
    assert isinstance(answer, dict)
    return answer


def answer_of_ours(file: Path, question: Question) -> Answer | str:
    """Return the same as our reader has it, its gaps filled with ssh's own defaults."""
    try:
        config = SshConfig([ConfigFile(path=str(file), is_user=True, must_exist=True)])
        found = config.look_up(question.name, user=question.user, port=question.port)
        settings = settings_of(found, user=question.user, port=question.port)
    except UsageError:
        return REFUSED
    answer = {**defaults_of_ssh(), "hostname": [found.address]}
    for keyword in (*ONCE, *LISTS):
        words = [value.text for value in found.values.get(keyword, ())]
        if keyword in {"proxyjump", "proxycommand"}:
            words = [word.removeprefix("ssh://") for word in words if word.lower() != "none"]
        if words and keyword != "hostname":
            answer[keyword] = words
    answer["user"] = [question.user or answer["user"][0]]
    answer["port"] = [str(question.port or answer["port"][0])]
    if "identityagent" in found.values:
        answer["identityagent"] = [str(settings["identity_agent"].value or "none")]
    if "userknownhostsfile" in found.values:  # ssh shows these two expanded
        known_hosts = settings["known_hosts"].value
        assert isinstance(known_hosts, tuple)
        system = found.value("globalknownhostsfile")
        count = 2 if system is None else len([word for word in system.words if word != "none"])
        answer["userknownhostsfile"] = [" ".join(known_hosts[: len(known_hosts) - count]) or "none"]
    return answer
