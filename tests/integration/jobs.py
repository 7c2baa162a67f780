"""One job on one host over SSH, in this thread."""

from __future__ import annotations

from collections.abc import Callable

from fleetrun import Host, Result
from fleetrun.events import Event
from fleetrun.job import Job, run_job
from fleetrun.operations import Exec, Operation
from fleetrun.session import Cancel, Connect
from fleetrun.ssh import SshConnect


def run(
    host: Host,
    operation: Operation | str,
    *,
    emit: Callable[[Event], None] = lambda _event: None,
    connect: Connect | None = None,
    cancel: Cancel | None = None,
) -> Result:
    """Do it and return what happened; a text is a command to run."""
    if isinstance(operation, str):
        operation = Exec(command=operation)
    button = cancel or Cancel()
    try:
        return run_job(Job(host=host, operation=operation), connect or SshConnect(), emit, button)
    finally:
        if cancel is None:
            button.close()
