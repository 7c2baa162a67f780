"""A session in memory that says what it was asked, and does what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable

from fleetrun.events import Event
from fleetrun.session import Command, CommandEnd, OnOutput, RemoteFiles
from fleetrun.testing import FakeFiles


class MemorySession:
    """A `fleetrun.session.Session`.

    Attributes:
        commands: what it was asked to run.
        timeouts: the timeouts that files were opened with.
    """

    def __init__(
        self,
        play: Callable[[OnOutput], CommandEnd] = lambda _take: CommandEnd(exit_status=0),
        remote: RemoteFiles | None = None,
    ) -> None:
        self._play = play
        self._remote = remote or FakeFiles({})
        self.commands: list[Command] = []
        self.timeouts: list[float | None] = []

    def run(self, command: Command, on_output: OnOutput) -> CommandEnd:
        self.commands.append(command)
        return self._play(on_output)

    def files(self, *, timeout_s: float | None) -> RemoteFiles:
        self.timeouts.append(timeout_s)
        return self._remote

    def close(self) -> None:
        pass


def ignore(event: Event) -> None:
    """Take an event and do nothing."""
