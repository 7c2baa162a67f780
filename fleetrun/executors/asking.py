"""How a worker that is away asks home, and is answered (see `fleetrun.home`).

a host's thread ─► Asker.ask ─► Ask ─► supervisor ─► frame_of_answer
◄── Asker.take ◄── Answer ◄──────────────────┘
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

from fleetrun.errors import FleetrunError
from fleetrun.executors.wire import Answer, Ask, pack
from fleetrun.home import Question


def frame_of_answer(asked: Ask) -> bytes:
    """Answer a question, in the calling thread, and return the frame that says what it came to."""
    try:
        return pack([Answer(asked.number, asked.question.answer())])
    except (FleetrunError, OSError) as error:
        return _frame_of(asked, error)
    except Exception as bug:  # noqa: BLE001 (a bug in a question must not end the run)
        return _frame_of(asked, FleetrunError(f"{type(bug).__name__}: {bug}"))


def _frame_of(asked: Ask, error: Exception) -> bytes:
    try:
        return pack([Answer(asked.number, None, error)])
    except FleetrunError:
        return pack([Answer(asked.number, None, FleetrunError(str(error)))])


class Asker:
    """The questions of one worker that wait for their answers. For any number of threads.

    Args:
        send: sends a question on its way.
    """

    def __init__(self, send: Callable[[Ask], None]) -> None:
        self._send = send
        self._numbers = itertools.count()
        self._waiting: dict[int, _Slot] = {}

    def ask(self, question: Question[object]) -> object:
        """Bring a question home and wait for the answer; raises what answering it raised.

        When home is gone, so is this process, before long.
        """
        number = next(self._numbers)
        slot = self._waiting[number] = _Slot()
        self._send(Ask(number, question))
        return slot.wait()

    def take(self, answer: Answer) -> None:
        """Give an answer to the one who waits for it."""
        self._waiting.pop(answer.number).fill(answer)


class _Slot:
    """The place of an answer that has not come yet."""

    def __init__(self) -> None:
        self._filled = threading.Event()
        self._answer: Answer | None = None

    def fill(self, answer: Answer) -> None:
        self._answer = answer
        self._filled.set()

    def wait(self) -> object:
        self._filled.wait()
        assert self._answer is not None  # noqa: S101 (set before the flag is)
        if self._answer.error is not None:
            raise self._answer.error
        return self._answer.value
