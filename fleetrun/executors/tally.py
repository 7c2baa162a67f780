"""How many hosts have failed, and when that is too many to begin another."""

from __future__ import annotations

from fleetrun.results import Outcome, Result

_FAILED = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.LOST})
"""The work was begun there, and did not end well."""


class Tally:
    """The failures of a run, against how many of them are put up with.

    One tally may count for several runs, one after another. For one thread at a time.

    Args:
        most_failed: how many hosts may fail, time out or be lost; None means any number.
        most_unreachable: how many may be unreachable; None means any number.
    """

    def __init__(
        self, *, most_failed: int | None = None, most_unreachable: int | None = None
    ) -> None:
        self._most_failed = most_failed
        self._most_unreachable = most_unreachable
        self._failed = 0
        self._unreachable = 0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._most_failed is not None or self._most_unreachable is not None

    def note(self, result: Result) -> None:
        """Count how a host ended."""
        self._failed += result.outcome in _FAILED
        self._unreachable += result.outcome is Outcome.UNREACHABLE

    @property
    def reason(self) -> str | None:
        """Why no other host is to be begun, a sentence; None while another may be."""
        if self._most_failed is not None and self._failed > self._most_failed:
            return f"the failure limit was passed: more than {self._most_failed} failed"
        if self._most_unreachable is not None and self._unreachable > self._most_unreachable:
            most = self._most_unreachable
            return f"the failure limit was passed: more than {most} were unreachable"
        return None
