"""Home: the process that a run belongs to, as seen from wherever its hosts are worked on. Layer 2.

    worker on another machine ─► ask(question) ─► the process that the run belongs to
                              ◄── its answer ───

The operator's files are at home: what is to be copied to the hosts, where what is fetched goes, and
the `known_hosts` that a new host's key is written to. A worker process on the same machine, like
the process of the run itself, is at home too, and asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

PIECE_BYTES = 256 * 1024
"""What a question or an answer carries of a file at the most, so that each is soon answered."""

_Answer = TypeVar("_Answer")
_Answer_co = TypeVar("_Answer_co", covariant=True)


class Question(Protocol, Generic[_Answer_co]):
    """Something that is known or done at home alone: picklable, and so is its answer."""

    def answer(self) -> _Answer_co:
        """Return the answer; called at home, by the thread that drives the run.

        What it raises, a `FleetrunError` or an `OSError`, is raised to the one who asked.
        """


AskHome = Callable[[Question[object]], object]
"""Brings a question home and waits for the answer, from any thread or greenlet."""

_ask_home: list[AskHome] = []
"""Empty at home; else the one way there."""


def work_away(ask_home: AskHome) -> None:
    """Note that this process is not at home, and how to ask there. Called once, by a worker."""
    _ask_home[:] = [ask_home]


def is_away() -> bool:
    """Whether this process is not at home: whether the operator's files are elsewhere."""
    return bool(_ask_home)


def ask(question: Question[_Answer]) -> _Answer:
    """Return the answer to the question: from here when this is home, else from there.

    Raises what answering it raises, and `ConnectionLost` when home cannot be asked any more.
    """
    if not _ask_home:
        return question.answer()
    return cast("_Answer", _ask_home[0](question))
