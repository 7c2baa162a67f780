"""The caller's ssh-agent: one connection a process, with a timeout, shared by all sessions."""

from __future__ import annotations

import logging
import os
import socket
import threading
from pathlib import Path
from typing import Any

from fleetrun.hosts import AGENT_OF_ENVIRONMENT
from fleetrun.ssh import foreign  # noqa: F401 (makes paramiko cheap, and must come first)

from paramiko.agent import AgentKey, AgentSSH, cSSH2_AGENTC_REQUEST_IDENTITIES  # isort: skip
from paramiko.agent import SSH2_AGENT_IDENTITIES_ANSWER
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import SSHException

log = logging.getLogger(__name__)

AGENT_TIMEOUT_S = 5.0
"""Seconds for each answer of the agent; a hung one would hold up every login."""


class TimedAgent(AgentSSH):
    """paramiko's agent client with a timeout and a lock. Shared between threads.

    Raises `OSError` or `SSHException` when there is no agent or it does not answer.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._conn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._conn.settimeout(AGENT_TIMEOUT_S)
        try:
            self._conn.connect(path)
        except OSError:
            self._conn.close()
            raise

    def usable_keys(self) -> list[AgentKey]:
        """Return its keys in its order; one of an unknown or broken kind does not cost the rest."""
        kind, answer = self._send_message(cSSH2_AGENTC_REQUEST_IDENTITIES)
        if kind != SSH2_AGENT_IDENTITIES_ANSWER:
            raise SSHException("the agent does not list its keys")
        keys = []
        for _ in range(answer.get_int()):
            if not answer.get_remainder():
                break  # it claimed more keys than it sent
            blob, comment = answer.get_binary(), answer.get_binary().decode("utf-8", "replace")
            key = self._key(blob, comment)
            if key is not None:
                keys.append(key)
        return keys

    def _key(self, blob: bytes, comment: str) -> AgentKey | None:
        try:
            key = AgentKey(agent=self, blob=blob, comment=comment)
        except (SSHException, UnknownKeyType, ValueError, LookupError) as error:
            log.info("agent key %r left out: %s", comment, error)
            return None
        name = key.get_name()
        return key if name and name.isascii() and name.isprintable() else None

    def close(self) -> None:
        """Close the connection; its keys can sign no more."""
        self._conn.close()

    def _send_message(self, msg: Any) -> Any:  # noqa: ANN401 (paramiko's signature)
        """Ask one question at a time, whoever asks."""
        with self._lock:
            try:
                return super()._send_message(msg)
            except OSError:
                self._conn.close()  # a late answer must not be taken for the next question's
                raise


def agent_keys(where: str = AGENT_OF_ENVIRONMENT) -> list[AgentKey]:
    """Return the keys of an agent; none when it cannot be asked.

    Args:
        where: its socket, or the variable of the environment that names it (`SSH_AUTH_SOCK`,
            `$NAME`): `Host.identity_agent`.
    """
    path = agent_socket(where)
    if not path or not hasattr(socket, "AF_UNIX"):
        return []
    try:
        agent = TimedAgent(path)
    except OSError as error:
        log.warning("the ssh-agent at %s was left out: %s", path, error)
        return []
    keys: list[AgentKey] = []
    try:
        keys = agent.usable_keys()
    except (OSError, SSHException) as error:
        log.warning("the ssh-agent at %s was left out: %s", path, error)
    if not keys:
        agent.close()
    return keys


def agent_socket(where: str) -> str | None:
    """Return the path of an agent's socket; None when no variable names one."""
    if where == AGENT_OF_ENVIRONMENT or where.startswith("$"):
        return os.environ.get(where.removeprefix("$"))
    return str(Path(where).expanduser())
