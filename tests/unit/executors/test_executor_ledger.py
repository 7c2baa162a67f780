"""The books of a run."""

from __future__ import annotations

import pytest
from executor_runs import jobs_on

from fleetrun.errors import Cancelled, ConnectionLost, SessionError
from fleetrun.events import Finished, PhaseReached, Started
from fleetrun.executors.ledger import Ledger
from fleetrun.results import Outcome, Phase, not_run


def finished(host: str) -> Finished:
    return Finished(result=not_run(host, "for a test"))


def test_jobs_are_taken_in_order_and_given_back_to_the_front() -> None:
    first, second = jobs_on(["a", "b"])
    ledger = Ledger([first, second])
    assert ledger.take() == first
    ledger.give_back(first)
    assert (ledger.take(), ledger.take(), ledger.take()) == (first, second, None)


def test_no_job_finishes_twice() -> None:
    ledger = Ledger(jobs_on(["a", "b"]))
    ledger.note(finished("a"))
    assert ledger.unfinished == 1
    with pytest.raises(KeyError):
        ledger.note(finished("a"))


@pytest.mark.parametrize(
    ("phases", "reason", "outcome"),
    [
        pytest.param([], ConnectionLost("died"), Outcome.UNREACHABLE, id="no-phase"),
        pytest.param([Phase.AUTH], ConnectionLost("died"), Outcome.UNREACHABLE, id="login"),
        pytest.param([Phase.AUTH], Cancelled("stuck"), Outcome.NOT_RUN, id="cancelled-login"),
        pytest.param([Phase.AUTH, Phase.EXEC], ConnectionLost("died"), Outcome.LOST, id="exec"),
        pytest.param([Phase.EXEC, Phase.RUN], Cancelled("stuck"), Outcome.LOST, id="cancelled-run"),
    ],
)
def test_a_begun_job_of_which_no_more_is_heard_ends_by_the_phase_it_had_reached(
    phases: list[Phase], reason: SessionError, outcome: Outcome
) -> None:
    ledger = Ledger(jobs_on(["a", "b"]))
    ledger.note(Started(host="a", at_s=1.0))
    for number, phase in enumerate(phases):
        ledger.note(PhaseReached(host="a", phase=phase, at_s=2.0 + number))
    begun, unbegun = ledger.lost(reason)
    assert isinstance(begun, Finished)
    assert isinstance(unbegun, Finished)
    assert (begun.result.outcome, begun.result.error) == (outcome, str(reason))
    assert begun.result.phase == (phases[-1] if phases else None)
    assert begun.result.may_still_run is (outcome is Outcome.LOST)
    assert list(begun.result.phase_seconds) == phases
    assert list(begun.result.phase_seconds.values())[:-1] == [1.0] * (len(phases) - 1)
    assert unbegun.result == not_run("b", str(reason))
